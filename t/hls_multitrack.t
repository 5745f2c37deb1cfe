#!/usr/bin/perl

# Copyright (C) the nginx media suite authors

# HLS and DASH of one publish with several video and audio tracks (Enhanced
# RTMP): variants and renditions, each of which plays, all cut at the same
# times; tracks that go and come; a group of such streams.

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use Test::Nginx;
use Test::Nginx::Enhanced;
use Test::Nginx::FLV;
use Test::Nginx::HLS;
use Test::RTMP qw/ num /;

use List::Util qw/ max min /;
use Time::HiRes qw/ sleep time /;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http stream rtmp hls/)
    ->has_daemon('ffmpeg', 'ffprobe');

$t->write_file_expand('nginx.conf', <<'END_OF_CONF');
%%TEST_GLOBALS%%
daemon off;
worker_processes %%WORKERS%%;
events { }

media {
    zone 64m;
    republish_wait 2s;
    hls_fragment 1s;
    hls_window 10s;
    hls_part 300ms;

    application live { hls on; hls_group both one x; }
    application dash { dash on; }
}

stream {
    server { listen 127.0.0.1:8035; rtmp { } }
}

http {
    %%TEST_GLOBALS_HTTP%%

    server {
        listen 127.0.0.1:8080;
        location / { hls; }
        location /api/ { media_api; }
    }
}
END_OF_CONF

$t->run();

my $dir = $t->testdir();
my @pids;

END { kill 'KILL', @pids if @pids; }

# media of four tracks, some seconds that come again and again

my @video = qw/ -c:v libx264 -preset ultrafast -tune zerolatency
    -pix_fmt yuv420p -g 25 -keyint_min 25 -sc_threshold 0 /;

my %track = (
    v0 => media('v0', qw/ -f lavfi -i testsrc2=size=320x180:rate=25 /, @video,
        qw/ -b:v 300k /),
    v1 => media('v1', qw/ -f lavfi -i testsrc2=size=160x90:rate=25 /, @video,
        qw/ -b:v 80k /),
    a0 => media('a0', qw/ -f lavfi -i sine=frequency=440 -ar 48000 -ac 2
        -c:a aac -b:a 64k /),
    a1 => media('a1', qw/ -f lavfi -i sine=frequency=880 -ar 48000 -ac 1
        -c:a aac -b:a 32k /),
);

my $p1 = encoder('live', 'x', qw/ v0 v1 a0 a1 /);

ok(hls_live('/live/x.hls.v0.m3u8', 3), 'several tracks: live');

my $master = get('/live/x.m3u8')->{body};

for my $v ([ 'v0', '320x180' ], [ 'v1', '160x90' ]) {
    my ($tag, $size) = @$v;

    like($master, qr/^#EXT-X-STREAM-INF:.*RESOLUTION=${size}\b.*AUDIO=.*\nx\.hls\.$tag\.m3u8$/m,
        "variant $tag");
}

like($master, qr/^#EXT-X-MEDIA:TYPE=AUDIO[^\n]*URI="x\.hls\.$_\.m3u8"/m,
    "rendition $_") for qw/ a0 a1 /;

like($master, qr/CHANNELS="2"[^\n]*a0|a0[^\n]*CHANNELS="2"/, 'channels of a0');
is(scalar(() = $master =~ /DEFAULT=YES/g), 1, 'one of them is the default');

is(checked('/live/x.m3u8', '--seconds=8', '--ll'), '', 'check-hls of all');

aligned('several tracks', 'x', qw/ v0 v1 a0 a1 /);

# each plays alone, and all together

for my $tag (sort keys %track) {
    my $got = decoded_frames("http://127.0.0.1:" . port(8080)
        . "/live/x.hls.$tag.m3u8", '-read_intervals', '%+3');

    is($got->{errors}, '', "$tag plays");
    cmp_ok($got->{$tag =~ /v/ ? 'video' : 'audio'} || 0, '>=', 50,
        "$tag: frames");
}

my $streams = `timeout 20 ffprobe -v error -show_entries program=program_id:stream=codec_type,width,channels -of csv 'http://127.0.0.1:@{[ port(8080) ]}/live/x.m3u8' 2>&1`;

like($streams, qr/stream,video,320/, 'ffprobe: the large one');
like($streams, qr/stream,video,160/, 'ffprobe: the small one');
is(scalar(() = $streams =~ /stream,audio,(1|2)\b/g) >= 2, 1,
    'ffprobe: both audio tracks') or diag($streams);

# DASH of the same

my $p2 = encoder('dash', 'x', qw/ v0 v1 a0 a1 /);

ok(wait_until(sub { get('/dash/x.mpd')->{status} == 200 }, 20), 'DASH');

my $mpd = get('/dash/x.mpd')->{body};

is(scalar(() = $mpd =~ /<Representation/g), 4, 'DASH: four representations');

# a group of it and of a stream with one track of each kind

my $p3 = encoder('live', 'one', qw/ v1 a1 /);

ok(hls_live('/live/one.hls.0.m3u8', 2), 'another one');

my $group = get('/live/both.m3u8')->{body};

like($group, qr/^one\.hls\.0\.m3u8$/m, 'group: the muxed one');
like($group, qr/^x\.hls\.v0\.m3u8$/m, 'group: and one with renditions');

# one with fewer tracks comes in its place

my $before = playlist('/live/x.hls.v0.m3u8')->{last};

finish($p1);
$p1 = encoder('live', 'x', qw/ v0 a0 a1 /);

ok(wait_until(sub {
    (playlist('/live/x.hls.v0.m3u8')->{last} // 0) > $before + 2
        && @{playlist('/live/x.hls.a0.m3u8')->{segments}} >= 4;
}, 20), 'fewer tracks: goes on');

unlike(get('/live/x.m3u8')->{body}, qr/hls\.v1/, 'fewer tracks: those alone');
is(get('/live/x.hls.v1.m3u8')->{status}, 404, 'fewer tracks: v1 is not there');
aligned('fewer tracks', 'x', qw/ v0 a0 a1 /);
is(checked('/live/x.m3u8', '--seconds=4'), '', 'fewer tracks: check-hls');

finish($_) for $p1, $p2, $p3;

done_testing();

###############################################################################

# [ ms, kind, configuration?, key?, cts, data ] of a file of one track

sub media {
    my ($name, @args) = @_;

    system('ffmpeg', '-hide_banner', '-nostdin', '-loglevel', 'error', '-y',
        @args, '-t', 4, '-f', 'flv', "$dir/$name.flv") == 0
        or die "no $name\n";

    my ($tags, $fault) = flv_tags($t->read_file("$name.flv"));
    die $fault if $fault;

    return [ map {
        my $b = $_->{body};
        $_->{type} == 9
            ? [ $_->{ms}, 'v', !ord(substr $b, 1, 1), ord($b) >> 4 == 1,
                substr($b, 2, 3), substr $b, 5 ]
            : [ $_->{ms}, 'a', !ord(substr $b, 1, 1), 0, '', substr $b, 2 ];
    } grep { $_->{type} != 18 && $_->{kind} ne 'eos' } @$tags ];
}

# A process that publishes these tracks in real time, over and over.

sub encoder {
    my ($app, $name, @tracks) = @_;

    my $pid = fork() // die "fork: $!\n";

    if ($pid) {
        push @pids, $pid;
        return $pid;
    }

    @pids = ();
    $SIG{TERM} = sub { require POSIX; POSIX::_exit(0) };

    my $c = Test::RTMP->new(port(8035))->connect($app, capsEx => num(0x02),
        fourCcList => ['*']);

    require POSIX;
    $c->publish($name) or POSIX::_exit(1);

    my (@all, %seen);

    for my $track (@tracks) {
        push @all, map { [ $track, @$_ ] } @{$track{$track}};
    }

    @all = sort { $a->[1] <=> $b->[1] } @all;

    my $start = time();

    for my $round (0 .. 30) {
        for my $f (@all) {
            my ($track, $ms, $kind, $config, $key, $cts, $data) = @$f;
            my $id = substr $track, 1;

            next if $config && $seen{$track}++;

            $ms += $round * 4000;
            my $late = $start + $ms / 1000 - time();
            sleep $late if $late > 0;

            my $body = one_track($kind, $config ? 0 : 1,
                $kind eq 'v' ? 'avc1' : 'mp4a', $id,
                ($config ? '' : $cts) . $data, $config || $key);

            eval { $kind eq 'v' ? $c->video($ms, $body)
                : $c->audio($ms, $body); 1 } or POSIX::_exit(1);
        }
    }

    POSIX::_exit(0);
}

sub finish {
    my ($pid) = @_;

    kill 'TERM', $pid;
    waitpid $pid, 0;
    @pids = grep { $_ != $pid } @pids;
}

# All renditions have the same numbers, at the same times.

sub aligned {
    my ($what, $name, @tags) = @_;

    my %date;

    for my $tag (@tags) {
        my $p = playlist("/live/$name.hls.$tag.m3u8");
        my $n = $p->{msn};

        $date{$n++}{$tag} = seconds($_->{date}) for @{$p->{segments}};
    }

    my @all = grep { keys %$_ == @tags } values %date;
    my $off = max(map { max(values %$_) - min(values %$_) } @all);

    cmp_ok(scalar @all, '>=', 3, "$what: the same numbers");
    cmp_ok($off, '<=', 0.045, "$what: at the same times");
}

sub seconds {
    return ($_[0] // '') =~ /T(\d+):(\d+):([\d.]+)Z/
        ? $1 * 3600 + $2 * 60 + $3 : 0;
}
