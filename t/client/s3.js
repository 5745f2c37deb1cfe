// Copyright (C) the nginx media suite authors

// s3rver with what it lacks: signatures (AWS Signature Version 4) are checked,
// by aws4, before it sees a request.
//
// node s3.js DIR-OF-NODE_MODULES PORT DATA KEY SECRET

'use strict';

const [modules, port, directory, key, secret] = process.argv.slice(2);
const load = require('module').createRequire(modules + '/');

const aws4 = load('aws4');
const http = require('http');
const S3rver = load('s3rver');

function verified(req) {
    const m = /^AWS4-HMAC-SHA256 Credential=([^/]+)\/(\d+)\/([^/]+)\/s3\/aws4_request, ?SignedHeaders=([^,]+), ?Signature=([0-9a-f]+)$/
        .exec(req.headers.authorization || '');

    if (!m || m[1] !== key || !req.headers['x-amz-content-sha256']) {
        return false;
    }

    const headers = {};

    for (const name of m[4].split(';')) {
        headers[name === 'host' ? 'Host' : name === 'x-amz-date' ? 'X-Amz-Date'
            : name === 'x-amz-content-sha256' ? 'X-Amz-Content-Sha256'
                : name] = req.headers[name];
    }

    const signed = aws4.sign({ service: 's3', region: m[3], path: req.url,
        method: req.method, headers },
    { accessKeyId: key, secretAccessKey: secret });

    return signed.headers.Authorization.endsWith('Signature=' + m[5]);
}

const s3 = new S3rver({ directory, silent: true, vhostBuckets: false,
    configureBuckets: [{ name: 'bucket' }] });
const handle = s3.callback();

s3.configureBuckets().then(() => {
    const answer = (req, res) => {
        if (req.headers.authorization && !verified(req)) {
            res.writeHead(403, { 'Content-Type': 'application/xml',
                'Connection': 'close' });
            res.end('<Error><Code>SignatureDoesNotMatch</Code></Error>');
            return;
        }

        if (req.headers.expect) {
            res.writeContinue();
        }

        handle(req, res);
    };

    http.createServer(answer).on('checkContinue', answer)
        .listen(port, '127.0.0.1');
});
