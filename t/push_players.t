#!/usr/bin/perl

# Copyright (C) the nginx media suite authors

# Encoders that push over HTTP, with players over HTTP and RTMP in all workers,
# while things happen: a reload in the middle of a push, an encoder that stops
# and comes back, a worker that is killed, worker_shutdown_timeout; and
# GStreamer as the encoder.

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use Test::Nginx;
use Test::Nginx::Player;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http http_v2 stream rtmp flv_live/)
    ->has_daemon(qw/ffmpeg ffprobe curl/);

conf();
$t->run();

my $clip = clip($t, 'clip', duration => 4);
my $url = 'http://127.0.0.1:' . port(8080) . '/push/live/';
my (%encoder, @players);

###############################################################################

# pushers and players, at least one of each in each worker

push_to($_) for qw/ s1 s2 s3 /;

for my $n (4 .. 30) {
    ok(wait_until(sub { !grep { !live($t, $_) } keys %encoder }, 20),
        'pushers are live');
    my $of = client_workers($t);
    last if spread(map { $of->{"publish/$_"} } keys %encoder) == 4;
    push_to("s$n");
}

for my $round (1 .. 20) {
    for my $name (sort keys %encoder) {
        push @players, player('flv', $name), player('rtmp', $name);
    }

    my $of = client_workers($t);
    last if spread(map { $of->{$_->{page}} } @players) == 4;
}

ok(play_until(sub { !grep { $_->video() < 10 } @players }), 'all play');

# reload

my $home = client_workers($t);

for my $n (1, 2) {
    ok($t->reload(), "reload $n");

    my @new = (player('flv', 's1'), player('rtmp', 's2'));
    my %had = map { $_->{n} => $_->video() } @players, @new;

    ok(play_until(sub {
        !grep { $_->video() < $had{$_->{n}} + 30 } @players, @new;
    }), "they play on after reload $n");

    push @players, @new;
}

my $now = client_workers($t);

is($now->{"publish/$_"}, $home->{"publish/$_"}, "$_ is where it was")
    for sort keys %encoder;
is($_->faults($clip), '', "player $_->{n} missed nothing") for @players;

# an encoder that stops and comes back; one that another one replaces is told

my @of = grep { $_->{name} eq 's1' } @players;
my %mark = map { $_->{n} => $_->mark() } @of;

$t->stop_daemon($encoder{s1}, 'INT');
ok(wait_until(sub { !live($t, 's1') }, 5), 's1 has gone');

push_to('s1');

my %had = map { $_->{n} => $_->video() } @of;

ok(play_until(sub { !grep { $_->video() < $had{$_->{n}} + 30 } @of }),
    'and comes back');

for my $p (@of) {
    is($p->faults($clip, from => $mark{$p->{n}}, again => 1)
        || ($p->{closed} ? 'closed' : ''), '', "player $p->{n} stays");
    $p->{from} = $mark{$p->{n}};
}

# workers that are killed

push_to($_) for map { "t$_" } 1 .. 4;
ok(wait_until(sub { !grep { !live($t, $_) } keys %encoder }, 20),
    'more of them in the new workers');

for my $victim (($t->all_workers())[0, -1]) {
    my $of = client_workers($t);
    my %gone = map { $_ => 1 } grep { ($of->{"publish/$_"} // 0)
        == $victim } keys %encoder;
    my @dead = grep { ($of->{$_->{page}} // 0) == $victim }
        @players;
    my @alive = grep { ($of->{$_->{page}} // 0) != $victim }
        @players;
    my @others = grep { !$gone{$_->{name}} } @alive;

    ok($t->kill_worker($victim), 'a worker with ' . (keys %gone)
        . ' pushers and ' . @dead . ' players is killed');
    ok(wait_until(sub { !grep { $t->daemon_alive($encoder{$_}) } keys %gone },
        15), 'its pushers are told');

    my %mark = map { $_->{n} => $_->mark() } @alive;
    my %had = map { $_->{n} => $_->video() } @alive;

    push_to($_) for keys %gone;

    ok(play_until(sub { !grep { $_->video() < $had{$_->{n}} + 30 } @alive }),
        'the others play, those of its pushers too');

    for my $p (@others) {
        is($p->{closed} ? 'closed' : $p->faults($clip, from => $p->{from},
            again => $p->{from}), '', "player $p->{n} missed nothing");
    }

    for my $p (grep { $gone{$_->{name}} } @alive) {
        is($p->{closed} ? 'closed' : $p->faults($clip,
            from => $mark{$p->{n}}, again => 1), '',
            "player $p->{n} sees its stream come back");
        $p->{from} = $mark{$p->{n}};
    }

    $_->drop() for @dead;
    @players = @alive;
}

# MPEG-TS with two languages over HTTP/1 and 2, and a reload in the middle

my $d = $t->testdir();
my $ts = "$d/two.ts";
my $made = `ffmpeg -hide_banner -nostdin -v error -y \\
    -f lavfi -i testsrc2=size=160x90:rate=25 -f lavfi -i sine=r=44100 \\
    -f lavfi -i sine=r=48000 -t 5 -map 0 -map 1 -map 2 -c:v libx264 \\
    -preset ultrafast -bf 2 -g 25 -pix_fmt yuv420p -c:a aac $ts 2>&1`;
die "can't make a clip: $made\n" if $?;

my $send = "ffmpeg -hide_banner -nostdin -v error -re -i $ts -map 0 -c copy"
    . ' -f mpegts';
my $base = 'http://127.0.0.1:' . port(8080);
my @curl = map { $t->run_daemon('curl', '-sN', '-o', "$d/$_->[0]",
    "$base/wait/$_->[1]") } [ 'all.ts', 'h1.ts?tracks=all' ],
    [ 'h1.flv', 'h1.flv' ], [ 'h2.flv', 'h2.flv' ];
my @send = map { $t->run_daemon('sh', '-c', "$send $_") }
    "$base/push/wait/h1.ts", '- | curl -s --http2-prior-knowledge -T - '
    . 'http://127.0.0.1:' . port(8082) . '/push/wait/h2.ts';

ok(wait_until(sub { live($t, 'h1') && live($t, 'h2') }, 20), 'both are live');
ok($t->reload(), 'reload');
is($t->wait_daemon($_, 30), 0, 'sent to its end') for @send;

$t->wait_daemon($_, 20) for @curl;

my @count = counts('two.ts');

is(scalar @count, 3, 'three tracks');
is("@{[ counts('all.ts') ]}", "@count", 'all tracks, all frames');
is("@{[ counts($_) ]}", "@count[0, 1]", "$_: all frames")
    for qw/ h1.flv h2.flv /;

# GStreamer

SKIP: {
    skip 'no GStreamer', 4 if system('for i in curlhttpsink x264enc flvmux'
        . ' mpegtsmux; do gst-inspect-1.0 $i >/dev/null 2>&1 || exit 1; done');

    for my $of ([ 'flv', 'flvmux streamable=true' ], [ 'ts', 'mpegtsmux' ]) {
        my ($format, $mux) = @$of;

        my $p = Test::Nginx::Player->flv("/wait/gst$format.flv");
        (my $location = $url) =~ s!live/$!wait/gst$format.$format!;

        my $pid = $t->run_daemon(qw/ gst-launch-1.0 -q videotestsrc
            is-live=true num-buffers=75 ! /, 'video/x-raw,framerate=25/1',
            qw/ ! x264enc tune=zerolatency speed-preset=ultrafast key-int-max=25 !
            h264parse ! /, split(' ', $mux), '!', 'curlhttpsink',
            "location=$location", 'use-content-length=false');

        is($t->wait_daemon($pid, 20), 0, "GStreamer sends $format")
            or diag($t->daemon_log($pid));
        play_until(sub { $p->{closed} }, 10);
        is($p->video(), 75, "GStreamer: every picture of $format");
        $p->drop();
    }
}

###############################################################################

# worker_shutdown_timeout ends what is left

players_drop();
$t->stop_daemons();
%encoder = ();

ok(wait_until(sub { $t->all_workers() == $t->workers() }, 10),
    'old workers go with their last session');
ok(wait_until(sub { !arena($t)->{used} }, 40), 'all memory is free again');

conf('worker_shutdown_timeout 1s;');
ok($t->reload(), 'reload with worker_shutdown_timeout');

push_to('s1');
ok(wait_until(sub { live($t, 's1') }, 20), 'live again');
ok($t->reload(), 'reload');
ok(wait_until(sub { $t->all_workers() == $t->workers() }, 10),
    'the worker is gone');
ok(wait_until(sub { !$t->daemon_alive($encoder{s1}) }, 15),
    'and the pusher is told');
ok(wait_until(sub { arena($t)->{clients} == 0 }, 10), 'nobody is left');

done_testing();

###############################################################################

sub conf {
    my ($globals) = @_;

    $globals ||= '';

    $t->write_file_expand('nginx.conf', <<"EOF_CONF");

%%TEST_GLOBALS%%

daemon off;
worker_processes 4;
$globals

events {
}

media {
    zone 64m;
    idle_timeout 1s;
    republish_wait 10s;

    application wait { republish_wait 1s; }
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

        location /wait/ {
            flv_live;
            play_wait 20s;
        }

        location /push/ {
            flv_live_push on;
        }

        location /api/ {
            media_api;
        }
    }

    server {
        listen 127.0.0.1:8082 http2 reuseport;

        location /push/ {
            flv_live_push on;
        }
    }
}

EOF_CONF
}

sub push_to {
    my ($name) = @_;

    $encoder{$name} = encode($t, $clip, "$url$name.flv");
}

# Packets of each track.

sub counts {
    my ($file) = @_;

    my %tracks = map { /^(\d+)\|(\d+)/ ? ($1 => $2) : () }
        `ffprobe -v error -count_packets -of compact=p=0:nk=1 -show_entries \\
        stream=index,nb_read_packets $d/$file`;

    return map { $tracks{$_} } sort { $a <=> $b } keys %tracks;
}

sub spread {
    my %seen = map { ($_ // 'none') => 1 } @_;
    return scalar keys %seen;
}

sub player {
    my ($kind, $name) = @_;

    return $kind eq 'flv'
        ? Test::Nginx::Player->flv("/live/$name.flv", name => $name)
        : Test::Nginx::Player->rtmp('live', $name, name => $name);
}

###############################################################################
