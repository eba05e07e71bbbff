// s3rver (an S3 server of the npm registry, which checks signatures) on a port chosen by the kernel, for the tests.
//   node s3server.js DIRECTORY BUCKET
// Prints "PORT n" when it accepts connections; access key and secret key are both "S3RVER".  Ends with its standard input.
'use strict';
const S3rver = require('s3rver');

const [directory, bucket] = process.argv.slice(2);
const server = new S3rver({
  address: '127.0.0.1', port: 0, silent: true, directory, configureBuckets: [{ name: bucket }],
});
server.run().then(({ port }) => process.stdout.write(`PORT ${port}\n`), (error) => {
  process.stderr.write(`${error.stack}\n`);
  process.exit(1);
});
process.stdin.resume();
process.stdin.on('end', () => process.exit(0));
