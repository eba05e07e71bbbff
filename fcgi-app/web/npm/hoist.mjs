/* hoist.js for `import {upload} from '/hoist.mjs'`, and for bundlers. */
import './hoist.js';

const hoist = globalThis.hoist;
if (!hoist.url && /^https?:.*\/hoist\.mjs$/.test(import.meta.url)) hoist.url = new URL('.', import.meta.url).href;

export const {upload, follow, HoistError} = hoist;
export default hoist;
