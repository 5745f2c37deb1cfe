#!/usr/bin/perl

# Copyright (C) the nginx media suite authors

# Workers that die while they hold the lock of the zone, in each place where
# lists are half written: the next one mends them, streams in other workers go
# on, and in the end all memory is free.  gdb stops them there.

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use Test::Nginx;
use Test::Nginx::Player;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http stream rtmp flv_live/)
    ->has_daemon('ffmpeg', 'gdb');

plan(skip_all => 'sanitizers do not like gdb') if $t->has_module('sanitizer');

$t->write_file_expand('nginx.conf', <<'EOF_CONF');

%%TEST_GLOBALS%%

daemon off;
worker_processes 2;

events {
}

media {
    zone 64m;
    republish_wait 500ms;
    idle_timeout 500ms;

    application i0 { idle_timeout 100ms; }
    application i1 { idle_timeout 500ms; }
    application i2 { idle_timeout 900ms; }
}

stream {
    server {
        listen 127.0.0.1:%%PORT_1935%% reuseport;
        rtmp { }
    }
}

http {
    %%TEST_GLOBALS_HTTP%%

    server {
        listen 127.0.0.1:8080 reuseport;

        location / {
            flv_live;
        }

        location /api/ {
            media_api;
        }
    }
}

EOF_CONF

$t->run();

my $clip = clip($t, 'clip', duration => 4, rate => '2000k');
my $url = 'rtmp://127.0.0.1:' . port(1935) . '/live/';
my (%encoder, $n);

###############################################################################

for my $case (
    [ 'a chunk is taken', 'ngx_media_chunk_get', 'ngx_media_unlock' ],
    [ 'a chunk is given back', 'ngx_media_chunk_put', 'ngx_media_unlock' ],
    [ 'a source is freed', 'ngx_media_source_release' ],
    [ 'a client comes', 'ngx_media_session_init', 'ngx_media_unlock' ],
    [ 'a publisher leaves', 'ngx_media_source_leave' ],
) {
    my ($what, @break) = @$case;

    # a stream in each worker, and one that was there and goes

    my %of = spread();
    my ($victim, $other) = sort { $a <=> $b } keys %of;
    my $p;

    for my $try (1 .. 30) {
        $p->drop() if $p;
        $p = Test::Nginx::Player->flv("/live/$of{$other}.flv");
        play_until(sub { $p->video() > 0 }, 10);
        last if (client_workers($t)->{$p->{page}} // 0) == $other;
    }

    my $before = arena($t)->{recoveries};

    $t->{_killed}{$victim} = 1;

    my $gdb = $t->run_daemon('gdb', '-nx', '-p', $victim, '-batch',
        '-ex', 'set pagination off',
        (map { ('-ex', "break $_", '-ex', 'continue') } @break),
        '-ex', 'kill');

    # attached, and running again

    play_until(sub {
        open my $fh, '<', "/proc/$victim/status" or return 1;
        my $status = do { local $/; <$fh> };
        return $status =~ /^TracerPid:\s+[1-9]/m
            && $status !~ /^State:\s+t/m || !$t->daemon_alive($gdb);
    }, 20);

    # what brings it there

    my $left = 0;

    ok(play_until(sub {
        if (!$left++) {
            $t->stop_daemon(delete $encoder{$of{$victim}}, 'KILL')
                if $what =~ /leaves/;
        }

        if ($what =~ /comes|freed/ && $left % 5 == 0) {

            # whichever worker looks first frees it: by turns

            eval {
                Test::Nginx::Player->rtmp('i' . $left % 3, "nothing$left",
                    expect => 'nothing')->drop();
            };
        }

        return !kill 0, $victim;
    }, 20), "$what: a worker dies") or diag($t->daemon_log($gdb));

    like($t->daemon_log($gdb), qr/^Breakpoint \d+, .*$break[-1]/m,
        "$what: where it should");

    my $had = $p->video();

    ok(play_until(sub { $p->video() > $had + 25 }), "$what: others go on");
    is($p->faults($clip), '', "$what: and miss nothing");
    is(arena($t)->{recoveries}, $before + 1, "$what: the zone was mended");
    $p->drop();

    ok(wait_until(sub { $t->workers() == 2 }), "$what: another worker");
    $t->stop_daemon(delete $encoder{$_}, 'KILL') for keys %encoder;

    my $a;

    ok(wait_until(sub {
        $a = arena($t);
        return $a->{size} && !$a->{used} && !$a->{sources} && !$a->{clients};
    }, 15), "$what: all memory is free") or diag(explain($a));
}

players_drop();
$t->stop_daemons();

done_testing();

###############################################################################

# Publishes until each worker has a stream: worker => name.

sub spread {
    my %of;

    for my $round (1 .. 10) {
        for (1 .. 2) {
            my $name = 's' . ++$n;
            $encoder{$name} = encode($t, $clip, $url . $name);
        }

        wait_until(sub { !grep { !live($t, $_) } keys %encoder }, 20);

        my $clients = client_workers($t);
        %of = map { $clients->{"publish/$_"} => $_ } sort keys %encoder;

        last if keys %of == 2;
    }

    return %of;
}

###############################################################################
