#!/usr/bin/perl

# Copyright (C) the nginx media suite authors

# Recordings go to a server of S3 by others (s3rver, with signatures checked by
# aws4): as one object and in parts, through a line that is slow, with the
# server killed in the middle, and with a secret that is wrong.

use warnings;
use strict;

use Test::More;

use File::Basename qw/ dirname /;
use File::Find qw/ find /;
use Time::HiRes qw/ sleep time /;

use lib dirname(__FILE__) . '/../lib', dirname(__FILE__);
use Client;
use Test::Nginx;

###############################################################################

found(qw/ node npm ffmpeg ffprobe /);

my $packages = ($ENV{TEST_NGINX_OBJS} || "$Test::Nginx::ROOT/objs")
    . '/client';

plan(skip_all => 's3rver can not be installed')
    unless packages('client', $packages, 's3rver/bin/s3rver.js');

my $t = Test::Nginx->new()->has(qw/http stream rtmp/);
my $dir = $t->testdir();
my $server = '127.0.0.1:' . port(8091);
my $slow = '127.0.0.1:' . port(8092);

$t->write_file_expand('nginx.conf', <<"END_OF_CONF");
%%TEST_GLOBALS%%
daemon off;
worker_processes %%WORKERS%%;
events { }
media {
    dvr on;
    dvr_gap 0;
    dvr_path $dir/rec/[app]/[stream].[timestamp].mp4;

    application one {
        dvr_s3 http://$server/bucket/\$media_app key=S3RVER secret=S3RVER;
    }
    application parts {
        dvr_s3 http://$slow/bucket key=S3RVER secret=S3RVER part=5m delete=on;
    }
    application wrong {
        dvr_s3 http://$server/bucket key=S3RVER secret=no-such-secret;
    }
}
stream {
    server { listen 127.0.0.1:%%PORT_1935%%; rtmp { } }
    server { listen $slow; proxy_pass $server; proxy_upload_rate 4m; }
}
http {
    %%TEST_GLOBALS_HTTP%%
    server { listen 127.0.0.1:8080; location / { media_api; } }
}
END_OF_CONF

my $pid;

sub start {
    $pid = $t->run_daemon('node', dirname(__FILE__) . '/s3.js', $packages,
        port(8091), "$dir/s3", 'S3RVER', 'S3RVER');
    return $t->waitforsocket($server);
}

ok(start(), 's3rver runs');
$t->run();

sub record {
    my ($app, $seconds, $rate) = @_;

    my $rtmp = 'rtmp://127.0.0.1:' . port(1935) . "/$app/show";

    run_for($t, 40, qw/ ffmpeg -hide_banner -nostdin -v error -f lavfi -i /,
        'testsrc2=s=320x180:r=25,noise=alls=60:allf=t', '-t', $seconds,
        qw/ -c:v libx264 -preset ultrafast -tune zerolatency -g 25
        -pix_fmt yuv420p -b:v /, $rate, '-maxrate', $rate, '-bufsize', $rate,
        '-f', 'flv', $rtmp);
}

# the bytes of all objects below a name

sub objects {
    my ($name) = @_;

    my @files;

    find({ no_chdir => 1, wanted => sub {
        push @files, $_ if m!/bucket/\Q$name\E.*_object$!s && -f;
    } }, "$dir/s3") if -d "$dir/s3";

    return map { slurp($_) } sort @files;
}

sub slurp {
    my ($file) = @_;

    open my $fh, '<:raw', $file or return '';
    local $/;
    return readline($fh) // '';
}

sub recordings { return glob "$dir/rec/$_[0]/*.mp4" }
sub queue { return grep { m!/[0-9a-f]{16}$! } glob "$dir/rec/.dvr/queue/*" }
sub errors { return $t->read_file('error.log') // '' }

# one object

record('one', 4, '500k');
wait_until(sub { errors() =~ m!rec/one/.* is uploaded! }, 15);
like(errors(), qr!rec/one/.* is uploaded!, 'uploaded');

my ($file) = recordings('one');
my ($object) = objects('one/one/');

ok($file && length $object && slurp($file) eq $object, 'the same bytes');

# parts; the server is killed when one of them is there

my $key = qr!rec/parts/\S+ is uploaded!;

record('parts', 20, '8000k');
wait_until(sub { queue() && slurp((queue())[0]) =~ /^etag /m }, 20);

($file) = recordings('parts');

my $data = slurp($file // '');

cmp_ok(length $data, '>', 11e6, 'a file of several parts');
like(slurp((queue())[0] // ''), qr/^etag /m, 'a part is there');

$t->stop_daemon($pid, 'KILL');
sleep 2;
unlike(errors(), $key, 'the server was killed in the middle');
ok(start(), 's3rver runs again');

wait_until(sub { errors() =~ $key }, 30);
like(errors(), $key, 'uploaded');

my @objects = objects('parts/');

is(scalar @objects, 1, 'one object');
ok($objects[0] eq $data, 'the same bytes');
is(scalar(() = errors() =~ /rec\/parts\/\S+ is uploaded/g), 1, 'once');

wait_until(sub { !-f $file }, 5);
ok(!-f $file, 'the file is deleted');

$t->write_file('object.mp4', $objects[0]);
like(`ffprobe -v error -show_entries stream=codec_name -of csv $dir/object.mp4`,
    qr/h264/, 'it plays');

# a secret that is wrong

record('wrong', 3, '300k');
wait_until(sub { errors() =~ /answer is 403 SignatureDoesNotMatch/ }, 15);
like(errors(), qr/answer is 403 SignatureDoesNotMatch/, 'a wrong secret');
unlike(errors(), qr/no-such-secret/, 'which is not logged');
is(scalar(queue()), 1, 'it waits');

$t->stop();

done_testing();
