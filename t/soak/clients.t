#!/usr/bin/perl

# Copyright (C) the nginx media suite authors

# ffmpeg publishes a minute of pictures, a white one and a beep at each second,
# and real players record it at the same time, over RTMP and HTTP-FLV: ffmpeg,
# GStreamer, rtmpdump, VLC, mpv, curl.  What they recorded is decoded: no error,
# each frame once and at its time, picture and sound as far apart at the end as
# at the beginning.
#
# TEST_SOAK is how long they record; some need seconds of it to look at what
# comes.  A player that is not installed is left out.

use warnings;
use strict;

use List::Util qw/ max min sum /;
use Test::More;
use Time::HiRes qw/ sleep time /;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib '.', '../lib', '../client';
use Test::Nginx;
use Client;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my ($t, $rtmp, $http) = server();
my $seconds = $ENV{TEST_SOAK} || 60;
my $d = $t->testdir();

# some players run as somebody else

mkdir "$d/out" and chmod 0777, "$d/out";

publish_clip($t, "$rtmp/live/clip");
ok(live('/live/clip.flv'), 'clip is live');

my @players;

for my $of ([ 'rtmp', "$rtmp/live/clip" ], [ 'http', "$http/live/clip.flv" ]) {
    my ($kind, $url) = @$of;

    push @players,
        player('ffmpeg', $kind, 'mkv', sub { ('ffmpeg', qw/ -hide_banner
            -nostdin -v warning -y -i /, $url, qw/ -c copy /, $_[0]) }),
        player('vlc', $kind, 'ts', sub { as_user($t, 'vlc', qw/ -I dummy
            --no-sout-all --network-caching=500 /, $url, '--sout',
            "#standard{access=file,mux=ts,dst=$_[0]}") }),
        player('mpv', $kind, 'mkv', sub { as_user($t, 'mpv', qw/ --no-config
            --no-input-terminal --really-quiet --vo=null --ao=null /,
            "--stream-record=$_[0]", $url) });
}

push @players,
    player('rtmpdump', 'rtmp', 'flv', sub { (qw/ rtmpdump --quiet --live
        --rtmp /, "$rtmp/live/clip", '-o', $_[0]) }),
    player('gst-launch-1.0', 'rtmp', 'mkv', sub { (qw/ gst-launch-1.0 -q -e
        rtmp2src /, "location=$rtmp/live/clip", split ' ', "! flvdemux name=d
        matroskamux name=m ! filesink location=$_[0]
        d.video ! queue ! h264parse ! m.
        d.audio ! queue ! aacparse ! m.") }),
    player('gst-launch-1.0', 'http', 'mkv', sub { (qw/ gst-launch-1.0 -q -e
        souphttpsrc is-live=true /, "location=$http/live/clip.flv",
        split ' ', "! flvdemux name=d
        matroskamux name=m ! filesink location=$_[0]
        d.video ! queue ! h264parse ! m.
        d.audio ! queue ! aacparse ! m.") }),
    player('curl', 'http', 'flv', sub { (qw/ curl -sN /,
        "$http/live/clip.flv", '-o', $_[0]) });

my $end = time() + $seconds;

sleep(min(1, $end - time())) while time() < $end;

for my $p (@players) {
    ok($t->daemon_alive($p->{pid}), "$p->{name}: plays on");
    kill 'INT', $p->{pid};
}

# VLC ends its file on TERM too

for my $p (@players) {
    next if defined $t->wait_daemon($p->{pid}, 10);
    $t->stop_daemon($p->{pid});
}

$t->stop_daemons();

###############################################################################

for my $p (@players) {
    my $name = $p->{name};
    my $got = Client::analyse($p->{file});
    my @apart = @{$got->{apart} || []};
    my $span = $got->{last} - $got->{first};

    is(join('', @{$got->{errors} || []}), '', "$name: no decode error");
    cmp_ok($got->{frames} || 0, '>=', 25 * ($seconds - 8), "$name: frames");
    is($got->{frames}, int($span * 25 + 1.5), "$name: every frame once");
    cmp_ok($got->{gap}, '<', 20, "$name: frames in time");
    cmp_ok(@apart ? max(@apart) - min(@apart) : 1000, '<', 40,
        "$name: picture and sound");

    # the mean of some at either end: a beep is heard in steps of a frame

    my $n = min(5, int(@apart / 2)) || 1;
    my $drift = @apart > 1 ? sum(@apart[-$n .. -1]) / $n
        - sum(@apart[0 .. $n - 1]) / $n : 1000;

    cmp_ok(abs($drift), '<', 40, "$name: no drift");

    note(sprintf '%s: %d frames in %.2f s, %d errors, largest error of a time '
        . '%.1f ms, %d flashes, beep after flash %.1f .. %.1f ms, drift '
        . '%.2f ms', $name, $got->{frames} || 0, $span,
        scalar @{$got->{errors} || []}, $got->{gap}, scalar @apart,
        min(@apart) // 0, max(@apart) // 0, $drift);
}

$t->stop();

done_testing();

###############################################################################

sub player {
    my ($program, $kind, $suffix, $command) = @_;

    my ($short) = $program =~ /^(\w+)/;
    my $file = "$d/out/$short-$kind.$suffix";

    unless (grep { -x "$_/$program" } split /:/, $ENV{PATH}) {
        note("$program not found");
        return ();
    }

    return { name => "$short $kind", file => $file,
        pid => $t->run_daemon($command->($file)) };
}
