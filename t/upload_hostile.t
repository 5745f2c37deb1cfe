#!/usr/bin/perl

# Copyright (C) the nginx media suite authors

# Uploads to a server that means no good: answers without an end or of another
# kind, redirects elsewhere, XML that is a bomb, connections that are cut.  What
# is due waits, others are uploaded, memory is bounded, and the log has one
# line of it without what is secret.

use warnings;
use strict;

use Test::More;

use File::Basename qw/ dirname /;
use IO::Socket::INET;
use POSIX ();
use Time::HiRes qw/ sleep time /;

use lib dirname(__FILE__) . '/lib';
use Test::Nginx;
use Test::Nginx::S3;
use Test::Nginx::Upload;

###############################################################################

plan(skip_all => 'not a dynamic build') if $ENV{TEST_NGINX_STATIC};

my $t = Test::Nginx->new()->has(qw/ http media /);

my $dir = $t->testdir();
my $so = build($t);
my $secret = 'wJalrXUtnFEMI/K7MDENG/secret';
my $s3 = Test::Nginx::S3->new($t, port(8090), key => 'AKIATEST',
    secret => $secret, region => 'us-east-1');
my $bad = port(8091);
my $inner = port(8092);

$t->write_file('secret', "$secret\n");
$t->write_file_expand('nginx.conf', <<"END_OF_CONF");
%%TEST_GLOBALS%%
load_module $so;
error_log $dir/debug.log debug;
daemon off;
worker_processes 2;
events { }
media {
    dvr_path $dir/rec/[app]/[stream].[timestamp].mp4;
    dvr_s3 http://127.0.0.1:$bad/bucket/\$media_app
           key=AKIATEST secret_file=secret part=5m;
    application good {
        dvr_s3 http://127.0.0.1:%%PORT_8090%%/bucket/good
               key=AKIATEST secret_file=secret part=5m;
    }
}
http {
    %%TEST_GLOBALS_HTTP%%
    server {
        listen 127.0.0.1:8080;
        location /try { upload_try; }
    }
}
END_OF_CONF

my $bomb = '<?xml version="1.0"?><!DOCTYPE b [<!ENTITY a "aaaaaaaaaa">'
    . join('', map { "<!ENTITY $_ \"&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;\">" }
        'b' .. 'j') . ']><R><UploadId>&j;</UploadId><Code>&j;</Code></R>';

my %answers = (
    garbage => sub { print {$_[0]} join '', map { chr rand 256 } 1 .. 5000 },
    silent => sub { sleep 5 },
    cut => sub { close $_[0] },
    half => sub { reply($_[0], '200 OK', 'x' x 10, 'Content-Length: 1000') },
    headers => sub { my $s = shift; print $s "HTTP/1.1 200 OK\r\n";
        1 while print $s 'X-' . 'a' x 1000 . ": b\r\n" },
    endless => sub { my $s = shift;
        print $s "HTTP/1.1 500 No\r\nConnection: close\r\n\r\n";
        1 while print $s '<Code>' . 'a' x 65536 },
    bomb => sub { reply($_[0], '200 OK', $bomb) },
    lines => sub { reply($_[0], '403 Forbidden', "<Code>a\n2026/01/01 [emerg] "
        . "it is said by a server\n</Code>") },
    busy => sub { reply($_[0], '503 Slow Down', '<Code>SlowDown</Code>') },
    file => sub { reply($_[0], '307 Over There', '',
        'Location: file:///etc/passwd') },
    inner => sub { reply($_[0], '301 Over There', '',
        "Location: http://127.0.0.1:$inner/") },
    id => sub { reply($_[0], '200 OK', '<UploadId>' . 'i' x 5000
        . '</UploadId>') },
    etag => sub {
        my ($s, $line) = @_;

        reply($s, '200 OK', '<UploadId>1&amp;x=2</UploadId><ListPartsResult/>',
            $line =~ /^PUT/ ? "ETag: \"a</ETag><b>\t&\"" : ());
    });

$t->run_daemon(\&server, $bad);
$t->waitforsocket("127.0.0.1:$bad");

my $in = IO::Socket::INET->new(LocalAddr => "127.0.0.1:$inner", Listen => 5)
    or die "$!";

uploads($t, $s3);
$t->run();

###############################################################################

my %id;

for my $name (sort keys %answers) {
    ($id{$name}) = add($name, 'x.mp4', $name =~ /^(id|etag|bomb)$/
        ? 6_000_000 : 100_000);
}

ok(wait_until(sub { seen() >= 12 }, 20), 'servers of all kinds are asked');

my ($good, $file) = add('good', 'y.mp4', 100_000);

sleep 3;

for my $name (sort keys %answers) {
    is(state($name, $id{$name}), 1, "$name: it waits");
}

is(wait_state('good', $good, 2, 90), 2, 'others are uploaded');
same('good/good/y.mp4', $file);

my $log = errors();

for my $name (qw/ garbage cut half bomb busy file inner endless /) {
    like($log . $t->read_file('debug.log'),
        qr/$name\/x.mp4" can not be uploaded/, "$name: it is told");
}

ok($log !~ /^2026.01.01/m, 'no line of the log is made by a server');
unlike($log, qr/K7MDENG/, 'the secret is not logged');
unlike($t->read_file('debug.log'), qr/K7MDENG/, 'not for debugging either');
unlike($t->read_file('debug.log'), qr/Signature=/, 'nor a signature');

vec(my $ready = '', fileno $in, 1) = 1;
is(select($ready, undef, undef, 0), 0, 'no redirect is followed');

my ($rss) = sort { $b <=> $a } map {
    my $text = eval { local (@ARGV, $/) = "/proc/$_/status"; <> } // '';

    $text =~ /VmRSS:\s+(\d+)/ ? $1 / 1024 : 0;
} $t->workers();

cmp_ok($rss, '<', $t->has_module('sanitizer') ? 600 : 100, 'memory');

$t->stop();

done_testing();

###############################################################################

# how many of them were asked

sub seen {
    my @seen = glob "$dir/asked.*";

    return scalar @seen;
}

sub reply {
    my ($s, $status, $body, @headers) = @_;

    push @headers, 'Content-Length: ' . length $body
        unless grep { /^Content-Length/ } @headers;

    print $s join("\r\n", "HTTP/1.1 $status", 'Connection: close', @headers),
        "\r\n\r\n", $body;
}

sub server {
    my ($port) = @_;

    my $server = IO::Socket::INET->new(LocalAddr => "127.0.0.1:$port",
        Listen => 50, ReuseAddr => 1) or die "$!";

    $SIG{CHLD} = 'IGNORE';
    $SIG{PIPE} = 'IGNORE';

    while (1) {
        my $s = $server->accept() or next;

        unless (fork()) {
            $s->autoflush(1);
            alarm 60;
            one($s);
            POSIX::_exit(0);
        }

        close $s;
    }
}

sub one {
    my ($s) = @_;

    my $line = <$s> // return;
    my $length = 0;

    while (my $header = <$s>) {
        last if $header eq "\r\n";
        $length = $1 if $header =~ /^Content-Length: (\d+)/i;
        print $s "HTTP/1.1 100 Continue\r\n\r\n" if $header =~ /^Expect:/i;
    }

    read $s, my $body, $length if $length;

    my ($name) = $line =~ m!^\w+ /bucket/(\w+)/! or return;

    open my $fh, '>', "$dir/asked.$name";
    $answers{$name}->($s, $line);
}
