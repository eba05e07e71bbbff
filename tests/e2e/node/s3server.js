// An S3 server for the tests, made of parts that nobody here wrote, on a port chosen by the kernel.
//   node s3server.js DIRECTORY BUCKET [PORT SECRET SICK]
// s3rver stores and answers.  It takes any Signature Version 4 as right, so Amazon's own signer (@smithy/signature-v4)
// stands before it: each request is signed again from what arrived, and refused with 403 where that differs.
// Prints "PORT n" when it accepts connections; access key and secret key are both "S3RVER", unless SECRET is given.  While the
// file SICK is there every answer is 503, and where it is given whole.js stands before s3rver.  Ends with its standard input.
'use strict';
const fs = require('fs');
const whole = require('./whole');
const S3rver = require('s3rver');
const { SignatureV4 } = require('@smithy/signature-v4');
const { HttpRequest } = require('@smithy/protocol-http');
const { Sha256 } = require('@aws-crypto/sha256-js');

const [directory, bucket, port = '0', secret = 'S3RVER', sick] = process.argv.slice(2);
const credentials = { accessKeyId: 'S3RVER', secretAccessKey: secret };

function parseAuthorization(text) {
  const match = /^AWS4-HMAC-SHA256 Credential=([^/]+)\/(\d{8})\/([^/]+)\/s3\/aws4_request, ?SignedHeaders=([a-z0-9;-]+), ?Signature=([0-9a-f]{64})$/.exec(text || '');
  return match && { key: match[1], region: match[3], signed: match[4].split(';'), signature: match[5] };
}

function parseDate(text) {
  const match = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(text || '');
  return match && new Date(Date.UTC(match[1], match[2] - 1, match[3], match[4], match[5], match[6]));
}

// The same of a presigned URL, by Amazon's signer for those: good for as long as it says, for this method and path.
async function findFaultInUrl(req, url) {
  const query = Object.fromEntries(url.searchParams);
  const match = /^([^/]+)\/\d{8}\/([^/]+)\/s3\/aws4_request$/.exec(query['X-Amz-Credential'] || '');
  const date = parseDate(query['X-Amz-Date']);
  const expiresIn = Number(query['X-Amz-Expires']);
  if (!match || !date || !(expiresIn >= 1 && expiresIn <= 604800)) return 'AuthorizationQueryParametersError';
  if (match[1] !== credentials.accessKeyId) return 'InvalidAccessKeyId';
  if (Date.now() > date.getTime() + expiresIn * 1000) return 'AccessDenied';
  const signature = query['X-Amz-Signature'];
  for (const name of Object.keys(query)) if (name.startsWith('X-Amz-')) delete query[name];
  const signer = new SignatureV4({
    service: 's3', region: match[2], credentials, sha256: Sha256, uriEscapePath: false, applyChecksum: false,
  });
  const again = await signer.presign(new HttpRequest({
    method: req.method,
    protocol: 'http:',
    hostname: req.headers.host,
    path: req.url.split('?')[0],
    query,
    headers: { host: req.headers.host, 'x-amz-content-sha256': 'UNSIGNED-PAYLOAD' },
  }), { signingDate: date, expiresIn, unsignableHeaders: new Set(['x-amz-content-sha256']), unhoistableHeaders: new Set(['x-amz-content-sha256']) });
  return again.query['X-Amz-Signature'] === signature ? null : 'SignatureDoesNotMatch';
}

// Null when the signature is right, else the S3 code of what is wrong.
async function findFault(req) {
  const asked = new URL(req.url, 'http://x');
  if (!req.headers.authorization && asked.searchParams.has('X-Amz-Signature')) return findFaultInUrl(req, asked);
  const given = parseAuthorization(req.headers.authorization);
  const date = parseDate(req.headers['x-amz-date']);
  if (!given || !date) return 'AccessDenied';
  if (given.key !== credentials.accessKeyId) return 'InvalidAccessKeyId';
  if (Math.abs(Date.now() - date) > 15 * 60 * 1000) return 'RequestTimeTooSkewed';
  const amz = Object.keys(req.headers).filter((name) => name.startsWith('x-amz-'));
  if (!['host', ...amz].every((name) => given.signed.includes(name))) return 'AccessDenied';
  const url = new URL(req.url, 'http://x');
  const signer = new SignatureV4({
    service: 's3', region: given.region, credentials, sha256: Sha256, uriEscapePath: false, applyChecksum: false,
  });
  const again = await signer.sign(new HttpRequest({
    method: req.method,
    protocol: 'http:',
    hostname: req.headers.host,
    path: req.url.split('?')[0],
    query: Object.fromEntries(url.searchParams),
    headers: Object.fromEntries(given.signed.map((name) => [name, req.headers[name]])),
  }), { signingDate: date, signableHeaders: new Set(given.signed), unsignableHeaders: new Set() });
  const expected = parseAuthorization(again.headers.authorization);
  return expected && expected.signature === given.signature ? null : 'SignatureDoesNotMatch';
}

function refuse(res, code, status = 403) {
  const body = `<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>${code}</Code><Message>refused</Message></Error>`;
  res.writeHead(status, { 'Content-Type': 'application/xml', 'Content-Length': body.length, Connection: 'close' });
  res.end(body);
}

const server = new S3rver({
  address: '127.0.0.1', port: Number(port), silent: true, directory, configureBuckets: [{ name: bucket }],
});
const store = server.callback.bind(server);
server.callback = () => {
  const handle = sick ? whole(store(), server.store, directory, refuse) : store();
  return (req, res) => {
    if (sick && fs.existsSync(sick)) return refuse(res, 'SlowDown', 503);
    return findFault(req).then(
      (code) => (code ? refuse(res, code) : handle(req, res)),
      (error) => {
        process.stderr.write(`${error.stack}\n`);
        refuse(res, 'InternalError');
      },
    );
  };
};
server.run().then(({ port }) => process.stdout.write(`PORT ${port}\n`), (error) => {
  process.stderr.write(`${error.stack}\n`);
  process.exit(1);
});
process.stdin.resume();
process.stdin.on('end', () => process.exit(0));
