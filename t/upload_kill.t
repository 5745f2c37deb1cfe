#!/usr/bin/perl

# Copyright (C) the nginx media suite authors

# Uploads of recordings, and who dies in the middle of them: the server, the
# worker, nginx.  Each object comes once, and what was there is not sent again.

use warnings;
use strict;

use Test::More;

use File::Basename qw/ dirname /;
use Time::HiRes qw/ sleep time /;

use lib dirname(__FILE__) . '/lib';
use Test::Nginx;
use Test::Nginx::S3;
use Test::Nginx::Upload;

###############################################################################

plan(skip_all => 'not a dynamic build') if $ENV{TEST_NGINX_STATIC};

my $t = Test::Nginx->new()->has(qw/ http media /);

my $dir = $t->testdir();
my $MB = 1024 * 1024;
my $so = build($t);
my $s3 = Test::Nginx::S3->new($t, port(8090), key => 'KEY', secret => 's');

uploads($t, $s3);

$t->write_file_expand('nginx.conf', <<"END_OF_CONF");
%%TEST_GLOBALS%%
load_module $so;
daemon off;
worker_processes 2;
events { worker_connections 256; }
media {
    dvr_path $dir/rec/[app]/[stream].[timestamp].mp4;
    dvr_s3 http://127.0.0.1:%%PORT_8090%%/bucket/\$media_app key=KEY secret=s
           part=5m;
    application one { }
}
http {
    %%TEST_GLOBALS_HTTP%%
    server {
        listen 127.0.0.1:8080;
        location /try { upload_try; }
    }
}
END_OF_CONF

$t->run();

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

# who dies; each object comes once

sub midway {
    my ($name, $code) = @_;

    $s3->rate(12 * $MB);
    my ($id, $file) = add('one', "$name.mp4", 17 * $MB);

    wait_until(sub { count("^PART one/$file") >= 1 }, 10);
    is(state('one', $id), 1, "$name: under way");

    $code->();

    $s3->rate(0);
    is(wait_state('one', $id, 2, 15), 2, "$name: done");
    same("one/$file", $file, "$name: the object");
    is(count("^COMPLETE one/$file 200"), 1, "$name: once");
    cmp_ok(count("^PART one/$file \\d 200"), '<=', 6,
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
my ($id, $file) = add('one', 'small.mp4', 4 * $MB);
sleep 0.5;
$s3->stop();
$s3->rate(0);
$s3->start();
is(wait_state('one', $id, 2), 2, 'a small file, the server killed');
same("one/$file", $file);

is($s3->uploads(), 0, 'no upload is left open');

$t->stop();

done_testing();
