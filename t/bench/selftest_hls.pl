#!/usr/bin/perl

# Copyright (C) the nginx media suite authors
#
# Do the load tool's clients of HLS see what is wrong?  Something between them
# and the server does one kind of harm; the tool has to name it, and a stream
# without harm has to pass.

use warnings;
use strict;

use FindBin;
use IO::Socket::INET;
use POSIX ();
use Test::More;

use lib "$FindBin::Bin/../lib";
use Test::Nginx;

my $t = Test::Nginx->new()->has(qw/http stream rtmp hls/);
my $dir = $t->testdir() . '/bench';
my $out = `$FindBin::Bin/build.sh $dir 2>&1`;

plan(skip_all => "the load tool does not build: $out") if $?;

$t->write_file_expand('nginx.conf', <<'END_OF_CONF');
%%TEST_GLOBALS%%
daemon off;
events { }
stream { server { listen 127.0.0.1:8035; rtmp { } } }
http {
    %%TEST_GLOBALS_HTTP%%
    server { listen 127.0.0.1:8080; location / { hls; } }
}
END_OF_CONF

$t->run();

# The harm, what counts it, and what must stay zero.

my @faults = qw/ corrupt dups gaps gap_frames hls_skipped hls_lost hls_stale
    web_cut protocol /;

my %harm = (
    none => [ sub { $_[1] }, '' ],
    corrupt => [ sub { $_[1] =~ s/NGXL(.{40})./NGXL$1\x01/s; $_[1] },
        'corrupt', qw/ hls_skipped hls_lost hls_stale web_cut protocol / ],
    other => [ sub { my $n = chr(int(rand(256)));
        $_[1] =~ s/mdat\K(.{9})./$1$n/s; $_[1] }, 'corrupt',
        qw/ hls_skipped hls_lost web_cut protocol / ],
    lost => [ sub { $_[0] =~ /\.3\.m4s/ ? undef : $_[1] }, 'hls_lost',
        qw/ corrupt hls_skipped hls_stale web_cut protocol / ],
    skipped => [ sub { $_[0] =~ /m3u8/ && $_[1] =~ s/\.3\.m4s/.4.m4s/g;
        $_[1] }, 'hls_skipped', qw/ corrupt web_cut protocol / ],
    stale => [ sub { $_[0] =~ /_HLS_msn/ && $_[1]
        =~ s/^#EXT-X-PART:.*\n(?=#EXT-X-PRELOAD)//mg; $_[1] }, 'hls_stale',
        qw/ corrupt web_cut protocol / ],
    cut => [ sub { $_[0] =~ /\.3\.m4s/ ? \substr($_[1], 0, 900) : $_[1] },
        'web_cut', qw/ corrupt hls_skipped hls_stale protocol / ],
);

for my $name (sort keys %harm) {
    my ($code, $found, @zero) = @{$harm{$name}};
    my ($port, $pid) = between($code);

    my @out = `timeout 40 $dir/ngx_media_load --rtmp ${\port(8035)} \\
        --http $port --hls-players 4 --duration 3 --settle 1 --drain 1500 \\
        --ramp-timeout 10 --strict --quiet`;
    my $status = $? >> 8;

    $t->stop_daemon($pid);

    my %r = map { /^(\w+)=(.*)/ ? ($1, $2) : () } @out;

    is($status, $found ? 1 : 0, "$name: exit status");
    cmp_ok($r{$found} || 0, '>', 0, "$name: $found") if $found;
    is($r{$_}, 0, "$name: no $_") for $found ? @zero : @faults;
    cmp_ok($r{hls_parts} || 0, '>', 20, "$name: parts") if $name ne 'cut';
}

$t->stop();
done_testing();

# A proxy that hands each answer to a function: (path, body) to the body; a
# reference: only so much of it, and the end; undef: 404.

sub between {
    my ($code) = @_;

    my $listen = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 64,
        ReuseAddr => 1) or die "no port: $!\n";

    my $pid = $t->run_daemon(sub {
        $SIG{CHLD} = 'IGNORE';

        while (my $client = $listen->accept()) {
            next if fork();

            srand($$);
            answer($client, $code);
            POSIX::_exit(0);
        }
    });

    return ($listen->sockport(), $pid);
}

sub answer {
    my ($client, $code) = @_;

    local $/ = "\r\n\r\n";

    while (my $head = <$client>) {
        my ($path) = $head =~ /^GET (\S+)/;
        my $s = IO::Socket::INET->new('127.0.0.1:' . port(8080)) or last;

        print $s "GET $path HTTP/1.0\r\n\r\n";

        my ($status) = (<$s> // '') =~ m!^HTTP/1.\d (\d+)!;
        my $body = do { local $/; <$s> } // '';
        my $new = $code->($path, $body);
        my $len = ref $new ? length $body : length($new // '');

        $status = 404 if !defined $new;
        $new = '' if !defined $new;

        print $client "HTTP/1.1 $status X\r\nContent-Length: $len\r\n\r\n",
            ref $new ? $$new : $new;
        $client->flush();
        last if ref $new;
    }
}
