#!/usr/bin/perl

# Copyright (C) the nginx media suite authors

# Copies and uploads of recordings, to an S3 of the test's own which checks
# every signature: names, parts, faults of all kinds, and who dies in the
# middle.  What the recorder does when a file is whole is done by a module of
# the test's own, t/upload, which is built here.

use warnings;
use strict;

use Test::More;

use Digest::MD5 qw/ md5_hex /;
use File::Basename qw/ dirname /;
use File::Path qw/ make_path /;
use Time::HiRes qw/ sleep time /;

use lib dirname(__FILE__) . '/lib';
use Test::Nginx;
use Test::Nginx::S3;
use Test::Nginx::Web;

###############################################################################

plan(skip_all => 'not a dynamic build') if $ENV{TEST_NGINX_STATIC};

my $t = Test::Nginx->new()->has(qw/ http http_ssl media /);

my $objs = $ENV{TEST_NGINX_MODULES} || "$Test::Nginx::ROOT/objs";
my $dir = $t->testdir();
my $MB = 1024 * 1024;

# built as the modules were: with what their makefile says

open my $fh, '<', "$objs/.inputs" or die "$objs/.inputs: $!\n";
my ($src) = do { local $/; <$fh> } =~ m!^/\S+ (/\S+) !m;

$t->write_file('try.mk', <<"END_OF_MAKE");
include $objs/Makefile

$dir/try.so: $Test::Nginx::ROOT/t/upload/ngx_http_upload_try_module.c
	\@\$(CC) \$(CFLAGS) -shared -o \$@ \$(ALL_INCS) \$<
END_OF_MAKE

my $text = `make -s -C $src -f $dir/try.mk $dir/try.so 2>&1`;

is($?, 0, 'the module of this test builds') or BAIL_OUT($text);

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
load_module $dir/try.so;
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

my $n = 0;
my %data;

# a recording of that size; gives its id

sub recording {
    my ($app, $name, $size) = @_;

    my $id = sprintf '019aa%06x%05x', ++$n, $n * 77;
    my $file = "$app/$name";
    my $chunk = join '', map { md5_hex("$id $_") } 1 .. 4096;

    $data{$file} = substr $chunk x (1 + $size / length $chunk), 0, $size;
    substr $data{$file}, $_ * $MB, 8, sprintf '%08d', $_ for 0 .. $size / $MB
        - 1;

    make_path("$dir/rec/$app");
    chmod 0777, "$dir/rec/$app";
    $t->write_file("rec/$file", $data{$file});
    chmod 0644, "$dir/rec/$file";

    return ($id, $file);
}

sub try {
    my ($what, $app, $id, $file) = @_;

    my $name = $file // '';
    $name =~ s/([^\w.\/-])/sprintf '%%%02X', ord $1/ge;

    return http_content(http_get("/try?what=$what&app=$app&stream=s&id=$id"
        . "&file=$name"));
}

sub add {
    my ($app, $name, $size) = @_;

    my ($id, $file) = recording($app, $name, $size);

    like(try('add', $app, $id, $file), qr/^0 /, "added: $file");

    return ($id, $file);
}

sub state { return (split / /, try('state', @_) // '')[1] // '' }

sub wait_state {
    my ($app, $id, $state, $timeout) = @_;

    wait_until(sub { state($app, $id) eq $state }, $timeout || 10);
    return state($app, $id);
}

sub count {
    my ($what) = @_;
    return scalar grep { /$what/ } $s3->log();
}

sub errors { return $t->read_file('error.log') // '' }

sub same {
    my ($key, $file, $name) = @_;

    my $got = $s3->object($key);

    ok(defined $got && $got eq $data{$file}, $name || "$key is the file");
}

# who holds the lock of the queue

sub holder {
    my $inode = (stat "$dir/rec/.dvr/queue/lock")[1];
    my ($pid) = slurp('/proc/locks')
        =~ m!FLOCK +ADVISORY +WRITE (\d+) [^:]+:[^:]+:$inode !;
    return $pid;
}

sub slurp {
    open my $fh, '<', $_[0] or die "$_[0]: $!\n";
    local $/;
    return scalar readline $fh;
}

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
ok(($t->read_file("copies/$file") // '') eq $data{$file}, 'the copy');
ok(-f "$dir/rec/$file", 'and the file is still there');

($id, $file) = add('both', 'b.mp4', 6 * $MB);

wait_until(sub { !-f "$dir/rec/$file" }, 10);
ok(!-f "$dir/rec/$file", 'deleted');
same("both/$file", $file);
ok(($t->read_file("copies/$file") // '') eq $data{$file}, 'and copied');
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

###############################################################################

# who dies; each object comes once

sub midway {
    my ($name, $code) = @_;

    $s3->rate(12 * $MB);
    my ($id, $file) = add('one', "$name.mp4", 22 * $MB);

    wait_until(sub { count("^PART one/$file") >= 1 }, 10);
    is(state('one', $id), 1, "$name: under way");

    $code->();

    $s3->rate(0);
    is(wait_state('one', $id, 2, 15), 2, "$name: done");
    same("one/$file", $file, "$name: the object");
    is(count("^COMPLETE one/$file 200"), 1, "$name: once");
    cmp_ok(count("^PART one/$file \\d 200"), '<=', 7,
        "$name: what was there was not sent again");
}

midway('server', sub {
    $s3->stop();
    sleep 1;
    $s3->start();
});

midway('reload', sub { $t->reload() });

midway('killed', sub {
    my $pid = holder();

    ok($pid, 'somebody looks after the queue');
    $t->kill_worker($pid);
    wait_until(sub { my $h = holder(); $h && $h != $pid }, 10);
    isnt(holder() // $pid, $pid, 'and then somebody else');
});

midway('restarted', sub {
    $t->stop();
    $t->run();
});

# a small file too

$s3->rate(2 * $MB);
($id, $file) = add('one', 'small.mp4', 4 * $MB);
sleep 0.5;
$s3->stop();
$s3->rate(0);
$s3->start();
is(wait_state('one', $id, 2), 2, 'a small file, the server killed');
same("one/$file", $file);

is($s3->uploads(), 0, 'no upload is left open');

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

($id, $file) = add('less', 'l.mp4', 1000);

$t->stop();

done_testing();
