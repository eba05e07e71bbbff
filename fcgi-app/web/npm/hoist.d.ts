/* Types of hoist.js, whose first lines say what each option means. */
export interface Progress {
  phase: 'sending' | 'queued' | 'reading' | 'converting' | 'uploading' | 'finishing' | 'done' | string;
  loaded: number;
  sent: number;
  total: number;
  fraction: number;
  attempt: number;
  job: Job | null;
}

export interface Job {
  id: string;
  queue: string;
  state: 'waiting' | 'scheduled' | 'running' | 'done' | 'dead' | 'cancelled';
  name?: string;
  size?: number;
  sent?: number;
  phase?: string;
  sha256?: string;
  result?: {url?: string; etag?: string; size?: number; sha256?: string};
  error?: {class?: string; text?: string};
  [member: string]: unknown;
}

type Secret = string | (() => string | Promise<string>);

export interface Options {
  url?: string;
  token?: Secret;
  policy?: Secret;
  onProgress?: (progress: Progress) => void;
  signal?: AbortSignal;
  cancel?: boolean;
  retries?: number;
  idempotencyKey?: string;
  wait?: boolean;
  stallSeconds?: number;
  meta?: Record<string, string | number>;
  /* Every option of an upload: to, queue, priority, key, name ... */
  [option: string]: unknown;
}

export class HoistError extends Error {
  type: string;
  status: number;
  detail: string;
  job: Job | null;
}

export function upload(file: Blob | string | BufferSource, options?: Options): Promise<Job>;
export function follow(id: string, options?: Options): Promise<Job>;
declare const hoist: {upload: typeof upload; follow: typeof follow; HoistError: typeof HoistError; url: string};
export default hoist;
