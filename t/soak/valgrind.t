#!/usr/bin/perl

# Copyright (C) the nginx media suite authors

# nginx under valgrind's memcheck, as a single process and with a master and a
# worker: publishers and players of each kind, good and bad, the API, a reload
# while they play, the end.  No invalid read or write, nothing read before it
# was written, nothing lost that the modules took.
#
# What valgrind holds against nginx itself or libraries, without a function of
# ours in the stack, is shown only.

use warnings;
use strict;

use Test::More;
use Time::HiRes qw/ sleep time /;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib '.', '../lib';
use Test::Nginx;
use Test::RTMP;
use Soak;

select STDERR; $| = 1;
select STDOUT; $| = 1;

plan(skip_all => 'valgrind not found')
    unless grep { -x "$_/valgrind" } split /:/, $ENV{PATH};

my ($t, @at) = server(start => 0);

plan(skip_all => 'nginx has its own sanitizer') if $t->has_module('sanitizer');

$t->has_daemon('ffmpeg');

my $conf = $t->read_file('nginx.conf');
my $d = $t->testdir();

$conf =~ s/^worker_processes 4;/worker_processes 1;/m or die 'no workers';
$conf =~ s/ reuseport;/;/g;

# valgrind keeps some for itself, and has no say in it when it is root no more

$conf =~ s/^worker_rlimit_nofile .*\n//m;
$conf =~ s/worker_connections \d+/worker_connections 1024/;

for my $mode ([ 'single', 'master_process off;' ], [ 'master', '' ]) {
    my ($name, $line) = @$mode;

    $t->write_file('nginx.conf', "$line\n$conf");

    my $nginx = $t->run_daemon('valgrind', qw/ --tool=memcheck
        --leak-check=full --show-leak-kinds=definite --keep-debuginfo=yes
        --num-callers=30 --fullpath-after= /, "--log-file=$d/$name.%p",
        $Test::Nginx::NGINX, '-p', "$d/", '-c', 'nginx.conf', '-e',
        'error.log');

    ok(wait_until(sub { defined arena($t)->{used} }, 60), "$name: runs")
        or diag($t->daemon_log($nginx));

    sessions($name);

    # a reload under players, and another one without; nginx without a master
    # cannot accept after one

    reload($name, $nginx) if $name eq 'master';
    idle($t, $name);

    kill 'QUIT', $nginx;
    is($t->wait_daemon($nginx, 120), 0, "$name: ends");

    judge($name);
}

is(join("\n", $t->alerts()), '', 'no alerts');

done_testing();

###############################################################################

sub reload {
    my ($name, $nginx) = @_;

    my $load = load($t, @at, qw/ --rtmp-players 4 --http-players 4
        --duration 6 --strict /);

    wait_until(sub { (arena($t)->{clients} || 0) >= 9 }, 30);
    kill 'HUP', $nginx;
    whole("$name, reload", result($t, $load, 120));

    kill 'HUP', $nginx;
    sleep(1);
    wait_until(sub { defined arena($t)->{used} }, 30);
}


sub sessions {
    my ($name) = @_;

    # encoders, players: slow ones, stuck ones, newcomers

    my $r = result($t, load($t, @at, qw/ --publishers 2 --rtmp-players 4
        --http-players 4 --stuck 1 --slow 1 --pausing 1 --churn 5 --drip 2
        --bitrate 500 --duration 6 /), 120);

    is(join(' ', map { $r->{$_} // '?' } qw/ gaps tail_missing dups disorder
        corrupt protocol early_close /), '0 0 0 0 0 0 0',
        "$name: players get every frame");

    # a real encoder and its player, over both protocols

    my $rtmp = 'rtmp://127.0.0.1:' . port(8035) . '/live/real';
    my $encoder = $t->publish($rtmp);

    ok(wait_until(sub {
        (http_status(http_head('/live/real.flv')) || 0) == 200
    }, 60), "$name: ffmpeg publishes");

    for my $url ($rtmp, 'http://127.0.0.1:' . port(8080) . '/live/real.flv') {
        my $pid = $t->run_daemon('ffmpeg', qw/ -nostdin -v error -i /, $url,
            qw/ -t 2 -f null - /);
        is($t->wait_daemon($pid, 60), 0, "$name: ffmpeg plays");
    }

    # the API, while there is something to tell

    for my $what ('versions', 'summaries', 'vhosts/', 'streams/', 'clients/',
        'streams/?start=0&count=1', 'clients/?count=1', 'streams/none',
        'clients/none')
    {
        my ($json) = $t->api_get("/api/v1/$what");
        ok(ref $json, "$name: api $what");
    }

    my $streams = $t->api_get('/api/v1/streams/');
    my $clients = $t->api_get('/api/v1/clients/');

    $t->api_get("/api/v1/streams/$_->{id}") for @{$streams->{streams}};
    $t->api_get("/api/v1/clients/$_->{id}") for @{$clients->{clients}};

    $t->stop_daemon($encoder);

    # requests of every kind

    http_get('/live/real.flv?onlyaudio=1', limit => 100);
    http_get('/live/none.flv');
    http_head('/live/none.flv');
    http("OPTIONS /live/none.flv HTTP/1.1\r\nHost: a\r\n"
        . "Origin: http://b\r\nConnection: close\r\n\r\n");
    http_post('/live/none.flv', 'body');

    # clients that break off, at each stage, and what is not RTMP at all

    for my $n (1 .. 3) {
        for my $digest ('digest0', 'digest1', 'simple') {
            my $p = Test::RTMP->new(port(8035), handshake => $digest);

            if ($n == 1) {
                $p->close();
                next;
            }

            $p->connect('live');
            $p->publish('broken');
            $p->video(0, Test::RTMP::avc_config());
            $p->video(0, Test::RTMP::avc_key(1, 30000));
            $p->audio(0, Test::RTMP::aac_config());

            my $c = Test::RTMP->new(port(8035))->connect('live');
            $c->play('broken');
            $c->command_on(1, 'closeStream', 0, undef) if $n == 2;
            $p->write_raw("\x06\0\0\0\0\xff\0\x09\1\0\0\0xxx");
            $p->close();
            $c->close();
        }
    }

    for my $junk ('GET / HTTP/1.0' . "\r\n\r\n", "\x03" . "\xff" x 5000,
        "\x03" . "\0" x 3072 . "\xff" x 3000)
    {
        http($junk, port => 8035, timeout => 2);
    }
}


# What valgrind said, record by record.

sub judge {
    my ($name) = @_;

    my (@ours, %others);
    my $processes = 0;

    for my $file (glob("$d/$name.*")) {
        open my $fh, '<', $file or die "$file: $!\n";
        my $text = do { local $/; <$fh> };
        $processes++;

        $text =~ s/^==\d+== ?//mg;

        for my $record (split /\n\s*\n/, $text) {
            next if $record !~ /^\s+at 0x/m;

            my ($what) = $record =~ /^(.*)/;
            my $ours = $record
                =~ /(ngx_media_|ngx_stream_rtmp_|ngx_http_flv_live_)/;

            if ($ours || $what =~ /^Invalid (read|write|free)/) {
                push @ours, $record;

            } else {
                $what =~ s/[\d,]+/N/g;
                $others{$what}++;
            }
        }

        push @ours, "no summary in $file" if $text !~ /^ERROR SUMMARY/m;
    }

    is(join("\n\n", @ours), '', "$name: valgrind says nothing");
    note("$name: $processes processes"
        . join '', map { "; of nginx itself: $_, $others{$_}" }
        sort keys %others);
}
