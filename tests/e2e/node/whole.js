// What S3 promises and s3rver alone does not: an object is there whole or not at all.  A front for its request handler:
//   - a body is read to its end first; one that breaks off, or is not what its digests say, stores nothing
//   - If-None-Match: * is honoured
//   - requests for one key come one after the other, so that nobody meets an object that is being written
//   - bytes are written beside their place and renamed, the metadata last; s3rver alone answers before they are written
//   - what a server that was killed had begun is removed at the start
'use strict';
const crypto = require('crypto');
const fs = require('fs');
const path = require('path');
const { Readable } = require('stream');
const S3Object = require('s3rver/lib/models/object');

const OBJECT = '._S3rver_object';
const METADATA = '._S3rver_metadata.json';

async function writeAtOnce(name, data) {
  await fs.promises.writeFile(`${name}.new`, data);
  await fs.promises.rename(`${name}.new`, name);
}

async function putObject({ bucket, key, content, metadata }) {
  const name = this.getResourcePath(bucket, key, 'object');
  const chunks = [];
  for await (const chunk of content) chunks.push(chunk);
  const body = Buffer.concat(chunks);
  const md5 = crypto.createHash('md5').update(body).digest('hex');
  const kept = Object.entries(metadata).filter(([field]) => S3Object.ALLOWED_METADATA.includes(field) || field.startsWith('x-amz-meta-'));
  await fs.promises.mkdir(path.dirname(name), { recursive: true });
  await writeAtOnce(name, body);
  await writeAtOnce(`${name}.md5`, md5);
  await writeAtOnce(this.getResourcePath(bucket, key, 'metadata.json'), JSON.stringify(Object.fromEntries(kept)));
  return { size: body.length, md5 };
}

function removeUnfinished(directory) {
  for (const entry of fs.readdirSync(directory, { withFileTypes: true })) {
    const name = path.join(directory, entry.name);
    const stem = name.endsWith(OBJECT) ? name.slice(0, -OBJECT.length) : null;
    if (entry.isDirectory()) removeUnfinished(name);
    else if (name.endsWith('.new')) fs.rmSync(name);
    else if (stem && !fs.existsSync(stem + METADATA)) {
      for (const suffix of [`${OBJECT}.md5`, OBJECT]) fs.rmSync(stem + suffix, { force: true });
    }
  }
}

function readBody(req) {
  return new Promise((resolve) => {
    const chunks = [];
    if (req.destroyed) resolve(null);
    req.on('data', (chunk) => chunks.push(chunk));
    req.on('error', () => resolve(null));
    req.on('close', () => resolve(req.complete ? Buffer.concat(chunks) : null));
    req.on('end', () => resolve(Buffer.concat(chunks)));
  });
}

let crcTable;
function crc32c(body) {
  crcTable = crcTable || Uint32Array.from({ length: 256 }, (_, n) => {
    let c = n;
    for (let bit = 0; bit < 8; bit += 1) c = c & 1 ? (c >>> 1) ^ 0x82f63b78 : c >>> 1;
    return c >>> 0;
  });
  let crc = ~0;
  for (const byte of body) crc = crcTable[(crc ^ byte) & 255] ^ (crc >>> 8);
  const sum = Buffer.alloc(4);
  sum.writeUInt32BE(~crc >>> 0);
  return sum;
}

function findFault(headers, body) {
  const hash = (name) => crypto.createHash(name).update(body).digest();
  const differs = (name, encoding, sum) => headers[name] && headers[name] !== sum().toString(encoding);
  const payload = headers['x-amz-content-sha256'];
  if (/^[0-9a-f]{64}$/.test(payload) && hash('sha256').toString('hex') !== payload) return 'XAmzContentSHA256Mismatch';
  if (differs('content-md5', 'base64', () => hash('md5'))) return 'BadDigest';
  if (differs('x-amz-checksum-sha256', 'base64', () => hash('sha256'))) return 'BadDigest';
  if (differs('x-amz-checksum-crc32c', 'base64', () => crc32c(body))) return 'BadDigest';
  return null;
}

module.exports = (handle, store, directory, refuse) => {
  const last = new Map(); // path -> when its latest request is over
  fs.mkdirSync(directory, { recursive: true });
  removeUnfinished(directory);
  store.putObject = putObject;

  async function put(req, res) {
    const body = await readBody(req);
    if (!body || req.socket.destroyed) return null;
    const fault = findFault(req.headers, body);
    if (fault) return refuse(res, fault, 400);
    const name = path.join(directory, decodeURIComponent(req.url.split('?')[0]));
    if (req.headers['if-none-match'] === '*' && fs.existsSync(name + OBJECT)) return refuse(res, 'PreconditionFailed', 412);
    const again = Readable.from(body.length ? [body] : []);
    const { method, url, headers, rawHeaders, socket, httpVersion, httpVersionMajor, httpVersionMinor } = req;
    delete headers['if-none-match'];
    return new Promise((over) => {
      res.on('close', over);
      handle(Object.assign(again, {
        method, url, headers, rawHeaders, socket, connection: socket, httpVersion, httpVersionMajor, httpVersionMinor,
      }), res);
    });
  }

  async function serve(req, res) {
    if (req.socket.destroyed) return null; // it was given up while it waited for its turn
    if (req.method === 'PUT') return put(req, res);
    return new Promise((over) => {
      res.on('close', over);
      handle(req, res);
    });
  }

  return async (req, res) => {
    const key = req.url.split('?')[0];
    const before = last.get(key);
    const mine = (async () => {
      await before;
      await serve(req, res).catch((error) => process.stderr.write(`${error.stack}\n`));
    })();
    last.set(key, mine);
    await mine;
    if (last.get(key) === mine) last.delete(key);
  };
};
