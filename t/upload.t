#!/usr/bin/perl

# Copyright (C) the nginx media suite authors

# Copies and uploads of recordings, to an S3 of the test's own which checks
# every signature: names, parts, faults of all kinds.  What the recorder does
# when a file is whole is done by a module of the test's own, t/upload, which is
# built here.

use warnings;
use strict;

use Test::More;

use File::Basename qw/ dirname /;
use Time::HiRes qw/ sleep time /;

use lib dirname(__FILE__) . '/lib';
use Test::Nginx;
use Test::Nginx::S3;
use Test::Nginx::Upload;
use Test::Nginx::Web;

###############################################################################

plan(skip_all => 'not a dynamic build') if $ENV{TEST_NGINX_STATIC};

my $t = Test::Nginx->new()->has(qw/ http http_ssl media /);

my $dir = $t->testdir();
my $MB = 1024 * 1024;
my $so = build($t);

Test::Nginx::Web::certificates($t);

my $secret = 'wJalrXUtnFEMI/K7MDENG/secret';
my $s3 = Test::Nginx::S3->new($t, port(8090), key => 'AKIATEST',
    secret => $secret, region => 'eu-test-1');
my $tls = port(8443);
my $url = 'http://127.0.0.1:' . port(8090) . '/bucket';
my $auth = 'key=AKIATEST secret_file=secret region=eu-test-1';

$t->write_file('secret', "$secret\n");

my $conf = <<"END_OF_CONF";
%%TEST_GLOBALS%%
load_module $so;
daemon off;
worker_processes 2;
worker_shutdown_timeout 20s;
events { worker_connections 256; }
media {
    hook_trusted_certificate trusted.pem;
    dvr_path $dir/rec/[app]/[stream].[timestamp].mp4;

    application one { dvr_s3 $url/\$media_app $auth part=5m; }
    application copy { dvr_copy $dir/copies; }
    application both {
        dvr_copy $dir/copies;
        dvr_s3 $url/both/ $auth part=5m delete=on class=COLD;
    }
    application tls {
        dvr_s3 https://localhost:$tls/bucket/tls $auth part=5m;
    }
    application wrong { dvr_s3 $url $auth; }
    application less { dvr_copy $dir/copies; }
    application none { }
}
http {
    %%TEST_GLOBALS_HTTP%%
    server {
        listen 127.0.0.1:8080;
        location /try { upload_try; }
        location /metrics { media_metrics; }
    }
    server {
        listen 127.0.0.1:$tls ssl;
        ssl_certificate $dir/good.pem;
        ssl_certificate_key $dir/good.key;
        client_max_body_size 0;
        location / {
            proxy_pass http://127.0.0.1:%%PORT_8090%%;
            proxy_http_version 1.1;
            proxy_request_buffering off;
            proxy_set_header Host \$http_host;
        }
    }
}
END_OF_CONF

uploads($t, $s3);

$t->write_file_expand('nginx.conf', $conf);
$t->run();

###############################################################################

# one file, and its name

my ($id, $file) = add('one', "a b+\xc3\xa9" . q{$&'(~).mp4}, 300_000);

is(wait_state('one', $id, 2), 2, 'done');
same("one/$file", $file);
is(count('^PUT one/one'), 1, 'one PUT');
like($s3->about("one/$file"), qr!^Content-Type: video/mp4\r$!m, 'its type');

is(state('none', 'ffffffffffffffff'), 0, 'nothing is known of another');

# parts

($id, $file) = add('one', 'parts.mp4', 12 * $MB + 5);

is(wait_state('one', $id, 2), 2, 'in parts');
same("one/$file", $file);
is(count('^PART one/one/parts.mp4 \d 200'), 3, 'three of them');
is(count('^COMPLETE one/one/parts.mp4 200'), 1, 'once');

# a copy; both, and the file is deleted

($id, $file) = add('copy', 'c.mp4', 2_500_000);

is(wait_state('copy', $id, 2), 2, 'copied');
ok(($t->read_file("copies/$file") // '') eq content($file), 'the copy');
ok(-f "$dir/rec/$file", 'and the file is still there');

($id, $file) = add('both', 'b.mp4', 6 * $MB);

wait_until(sub { !-f "$dir/rec/$file" }, 10);
ok(!-f "$dir/rec/$file", 'deleted');
same("both/$file", $file);
ok(($t->read_file("copies/$file") // '') eq content($file), 'and copied');
like($s3->about("both/$file"), qr!^x-amz-storage-class: COLD\r$!mi,
    'class of storage');
is(wait_state('both', $id, 0), 0, 'nothing is left of it');

# nothing to do

($id, $file) = recording('none', 'n.mp4', 10);
try('add', 'none', $id, $file);
is(state('none', $id), 0, 'nothing to do');

# TLS

($id, $file) = add('tls', 't.mp4', 7 * $MB);

is(wait_state('tls', $id, 2), 2, 'over TLS');
same("tls/$file", $file);

# faults

$s3->fault('PART', 2, '503 SlowDown');
($id, $file) = add('one', 'slow.mp4', 11 * $MB);
is(wait_state('one', $id, 2), 2, 'S3 was busy');
same("one/$file", $file);
like(errors(), qr!slow.mp4" can not be uploaded to "\S+/bucket/one/one/slow!,
    'which was logged');
like(errors(), qr!\(a part\): the answer is 503 SlowDown, tried again in 1 s!,
    'with the reason');

$s3->fault('PART', 1, 'close');
($id, $file) = add('one', 'closed.mp4', 11 * $MB);
is(wait_state('one', $id, 2), 2, 'a part was cut off');
same("one/$file", $file);

$s3->fault('COMPLETE', 1, 'lost');
($id, $file) = add('one', 'lost.mp4', 11 * $MB);
is(wait_state('one', $id, 2), 2, 'the last answer was lost');
same("one/$file", $file);
is(count('^COMPLETE one/one/lost.mp4 200'), 1, 'it was not uploaded twice');
is(count('^PART one/one/lost.mp4'), 3, 'no part of it');

$s3->fault('COMPLETE', 1, 'error');
($id, $file) = add('one', 'error.mp4', 11 * $MB);
is(wait_state('one', $id, 2), 2, 'an error with status 200');
same("one/$file", $file);

$s3->fault('PUT', 1, 'close');
($id, $file) = add('one', 'cut.mp4', 3 * $MB);
is(wait_state('one', $id, 2), 2, 'a PUT was cut off');
same("one/$file", $file);

# deleted while it waits

$s3->fault('PUT', 100, '500 InternalError');
($id, $file) = add('one', 'gone.mp4', 1000);
wait_until(sub { errors() =~ /gone.mp4" can not/ }, 5);
is(state('one', $id), 1, 'it waits');
try('forget', 'one', $id);
is(state('one', $id), 0, 'and is forgotten');

($id, $file) = add('one', 'removed.mp4', 1000);
unlink "$dir/rec/$file";
is(wait_state('one', $id, 3, 5), 3, 'a file is gone: failed');
like(errors(), qr/removed.mp4" is not there any more/, 'which was logged');
unlink "$s3->{dir}/fault-PUT";

# many

my @many = map { [ add('one', "many$_.mp4", 1000 + $_) ] } 1 .. 40;
my $began = time();

is(join(' ', map { wait_state('one', $_->[0], 2) } @many),
    join(' ', (2) x @many), 'many small files');
cmp_ok(time() - $began, '<', 8, 'soon');

my $metrics = http_content(http_get('/metrics'));

like($metrics, qr/^nginx_media_uploads_total\{result="done"\} (\d+)$/m,
    'metrics');
like($metrics, qr/^nginx_media_upload_bytes_total (\d+)$/m, 'bytes');
wait_until(sub { http_content(http_get('/metrics'))
    =~ /^nginx_media_upload_queue 0$/m }, 5);
like(http_content(http_get('/metrics')), qr/^nginx_media_upload_queue 0$/m,
    'the queue is empty');

# what is not right

$s3->{secret} = 'another';
$s3->stop();
$s3->start();
($id, $file) = add('wrong', 'w.mp4', 2 * $MB);
wait_until(sub { errors() =~ /answer is 403 SignatureDoesNotMatch/ }, 5);
like(errors(), qr/answer is 403 SignatureDoesNotMatch/, 'a wrong secret');
unlike(errors(), qr/K7MDENG/, 'which is not logged');
is(state('wrong', $id), 1, 'it waits');

# what the configuration says no to

my $u = 'http://127.0.0.1:1';

for my $case (
    ["dvr_s3 $u/b key=a;", 'needs key= and secret= or secret_file='],
    ["dvr_s3 $u/b secret=b;", 'needs key= and secret= or secret_file='],
    ["dvr_s3 $u key=a secret=b;", 'the bucket is missing'],
    ["dvr_s3 $u/b/\$media_args key=a secret=b;", 'it takes $media_vhost'],
    ["dvr_s3 $u/\$media_app key=a secret=b;", 'only behind the bucket'],
    ["dvr_s3 $u/b%20 key=a secret=b;", 'can not be in it'],
    ["dvr_s3 http://u:p\@127.0.0.1/b key=a secret=b;", 'credentials stand'],
    ["dvr_s3 ftp://x/b key=a secret=b;", 'it must begin with'],
    ["dvr_s3 $u/b key=a secret=hidden1 part=1m;", 'invalid "part=1m"'],
    ["dvr_s3 $u/b key=a secret=hidden1 secret=hidden2;", 'invalid "secret="'],
    ["dvr_s3 $u/b key=a secret=b hidden1;", 'invalid "..."'],
    ["dvr_s3 $u/b key=a secret_file=none;", 'none" failed'],
    ["dvr_copy a; dvr_copy b;", 'is duplicate'],
    ["dvr_copy $dir/rec; dvr_path $dir/rec/[stream].flv;", 'path name'],
) {
    my ($line, $want) = @$case;

    $t->write_file_expand('bad.conf', "%%TEST_GLOBALS%%\nevents { }\n"
        . "media { $line }\n");
    unlink "$dir/test.log";
    my (undef, $out) = $t->test_config("bad.conf");

    like($out, qr/\Q$want\E/, $line);
    unlike($out, qr/hidden/, 'no secret') if $line =~ /hidden/;
}

$t->stop();

done_testing();
