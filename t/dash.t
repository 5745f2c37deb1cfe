#!/usr/bin/perl

# Copyright (C) the nginx media suite authors

# DASH: what an MPD says is what the media are, to the tick; it changes only
# at its ends; the open segment comes part by part and is the same when it is
# whole; a new publisher makes a period, and the end a presentation that is
# static.  ffmpeg plays it.

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use Test::Nginx;
use Test::Nginx::HLS;

use POSIX qw/ strftime /;
use Time::HiRes qw/ sleep time /;
use Time::Local qw/ timegm /;

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
    zone 128m;
    republish_wait 5s;
    hls_window 12s;

    application live { dash on; hls_fragment 1s; }
    application plain { dash on; hls_fragment 1s; hls_part 0; }
    application off { }
}

stream {
    server { listen 127.0.0.1:8035; rtmp { } }
}

http {
    %%TEST_GLOBALS_HTTP%%

    server {
        listen 127.0.0.1:8080;
        location / { hls; }
    }
}
END_OF_CONF

$t->run();

my $rtmp = 'rtmp://127.0.0.1:' . port(8035);
my $d = $t->testdir();

is(get('/live/none.mpd')->{status}, 404, 'nobody publishes');

publish($_) for qw/ live plain off /;

ok(wait_until(sub { get('/live/s.mpd')->{status} == 200 }, 20), 'an MPD');

my $a = get('/live/s.mpd');

is($a->{header}{'content-type'}, 'application/dash+xml', 'its type');
is($a->{header}{'access-control-allow-origin'}, '*', 'for every page');

ok(wait_until(sub { get('/plain/s.mpd')->{status} == 200
    && get('/off/s.hls.0.m3u8')->{status} == 200 }, 20), 'the others too');
is(get('/off/s.mpd')->{status}, 404, 'none where dash is off');

# what stands in it

my $first;

ok(wait_until(sub {
    $first = mpd('/live/s.mpd');
    @{$first->{periods}[0]{sets}[0]{segments} || []} > 3;
}, 20), 'some segments');


is($first->{type}, 'dynamic', 'live');
is(@{$first->{periods}}, 1, 'one period');
is(join(' ', map { $_->{contentType} } @{$first->{periods}[0]{sets}}),
    'video audio', 'tracks apart');
like($first->{availabilityStartTime}, qr/^\d{4}-\d\d-\d\dT[\d:]+\.\d{3}Z$/,
    'a beginning');
cmp_ok(abs(date($first->{utc}) - time()), '<', 1, 'the clock of players');
like($first->{text}, qr/availabilityTimeComplete="false"/, 'low latency');
unlike(mpd('/plain/s.mpd')->{text}, qr/availabilityTimeOffset/, 'and none');

my $video = $first->{periods}[0]{sets}[0];

is($video->{codecs}, 'avc1.42c01f', 'codecs') or diag($first->{text});
is("$video->{width}x$video->{height}", '320x180', 'size');
is($video->{frameRate}, 25, 'frame rate');

# ends of the timeline move, nothing else does

sleep 3;

my $second = mpd('/live/s.mpd');

is($second->{availabilityStartTime}, $first->{availabilityStartTime},
    'the beginning stays');
is($second->{periods}[0]{id}, $first->{periods}[0]{id}, 'and the period');

for my $i (0, 1) {
    my ($x, $y) = map { $_->{periods}[0]{sets}[$i] } $first, $second;
    my %was = map { $_->{number} => $_ } @{$x->{segments}};
    my @both = grep { $was{$_->{number}} } @{$y->{segments}};

    # the last one was open, its end was foretold

    my @other = grep { $was{$_->{number}}{t} != $_->{t}
        || $was{$_->{number}}{d} != $_->{d}
            && $was{$_->{number}} != $x->{segments}[-1] } @both;

    ok(@both >= 2 && !@other, "$x->{contentType}: times of "
        . @both . ' segments stay') or diag($first->{text}, $second->{text});

    my $holes = grep { $y->{segments}[$_]{t} != $y->{segments}[$_ - 1]{t}
        + $y->{segments}[$_ - 1]{d} } 1 .. $#{$y->{segments}};

    is($holes, 0, "$x->{contentType}: no holes");
    check_media($y);
}

# the open segment

my $last = mpd('/live/s.mpd')->{periods}[0]{sets}[0]{segments}[-1];

ok(wait_until(sub {
    my $now = mpd('/live/s.mpd')->{periods}[0]{sets}[0]{segments}[-1];
    $now->{number} > $last->{number} && ($last = $now);
}, 10), 'a segment begins');

my $start = time();
my $open = get($last->{uri});
my $took = time() - $start;
my $whole = get($last->{uri});

is($open->{status}, 200, 'the open segment');
is($open->{header}{'transfer-encoding'}, 'chunked', 'comes as it grows');
cmp_ok($took, '>', 0.1, 'until it ends');
ok($whole->{body} eq unchunked($open->{body}) && length $whole->{body},
    'and is the same when it is whole');
like($whole->{header}{'content-length'} // '', qr/^\d+$/, 'of known length');

my $head = get($last->{uri} =~ s/(\d+)\.m4s/($1 + 400) . '.m4s'/er);

is($head->{status}, 404, 'one that is far off');

# who leaves in the middle does no harm

for (1 .. 5) {
    my $now = mpd('/live/s.mpd')->{periods}[0]{sets}[0]{segments}[-1];
    my $s = start_get($now->{uri});
    sleep 0.1;
    close $s->{socket};
}

# ffmpeg plays

for my $app (qw/ live plain /) {
    my $got = decoded_frames('http://127.0.0.1:' . port(8080)
        . "/$app/s.mpd", '-read_intervals', '%+4');

    is($got->{errors}, '', "$app: ffmpeg, no errors");
    cmp_ok($got->{video} || 0, '>=', 80, "$app: ffmpeg, pictures");
}

# a new publisher: its media begin anew

$t->stop_daemons();

publish('live');

ok(wait_until(sub { @{mpd('/live/s.mpd')->{periods}} == 2 }, 20),
    'a new period');

sleep 3;

my $third = mpd('/live/s.mpd');

is($third->{periods}[0]{id}, $first->{periods}[0]{id}, 'the old one stays');
is($third->{availabilityStartTime}, $first->{availabilityStartTime},
    'and the beginning');
cmp_ok(seconds($third->{periods}[1]{start}), '>',
    seconds($third->{periods}[0]{start}), 'they follow');
check_media($_) for @{$third->{periods}[1]{sets}};

# on the clock of the MPD the newest segment ends now

my $set = $third->{periods}[1]{sets}[0];
my $newest = $set->{segments}[-2];
my $ends = date($third->{availabilityStartTime})
    + seconds($third->{periods}[1]{start})
    + ($newest->{t} + $newest->{d} - $set->{presentationTimeOffset})
    / $set->{timescale};

cmp_ok(abs(date($third->{utc}) - $ends), '<', 2.5, 'the clock is right');

# the end

$t->stop_daemons();

ok(wait_until(sub { mpd('/live/s.mpd')->{type} eq 'static' }, 20),
    'the end is static');

my $end = mpd('/live/s.mpd');

ok(defined $end->{mediaPresentationDuration}, 'of known length');
unlike($end->{text}, qr/minimumUpdatePeriod|UTCTiming|availability/,
    'nothing is to come');
check_media($_) for @{$end->{periods}[-1]{sets}};

$t->stop();

done_testing();

###############################################################################

sub publish {
    my ($app) = @_;

    return $t->run_daemon('ffmpeg', qw/ -hide_banner -nostdin -v warning -re
        -f lavfi -i testsrc=size=320x180:rate=25 -f lavfi -i
        sine=frequency=500:sample_rate=44100 -c:v libx264 -preset ultrafast
        -profile:v baseline -level 3.1 -pix_fmt yuv420p -b:v 200k -g 25
        -c:a aac -b:a 64k -f flv /, "$rtmp/$app/s");
}

sub mpd {
    my ($path) = @_;

    my $text = get($path)->{body};
    my %mpd = (text => $text, periods => [], type => '');
    my ($root) = $text =~ /<MPD ([^>]*)>/;

    %mpd = (%mpd, attributes($root // ''));
    ($mpd{utc}) = $text =~ /utc:direct:2014" value="([^"]*)"/;

    while ($text =~ m!<Period ([^>]*)>(.*?)</Period>!gs) {
        my $period = { attributes($1), sets => [] };
        my $inside = $2;

        push @{$mpd{periods}}, $period;

        while ($inside =~ m!<AdaptationSet ([^>]*)>.*?<Representation ([^>]*)>
            .*?<SegmentTemplate\ ([^>]*)>(.*?)</SegmentTemplate>!gsx)
        {
            my ($s, $r, $template, $timeline) = ($1, $2, $3, $4);

            push @{$period->{sets}}, timeline({ attributes($s),
                attributes($r), attributes($template), segments => [] },
                $timeline, $path);
        }
    }

    return \%mpd;
}

sub attributes {
    my ($text) = @_;
    return $text =~ /([\w:]+)="([^"]*)"/g;
}

sub timeline {
    my ($set, $text, $path) = @_;

    my ($n, $time) = ($set->{startNumber}, 0);

    (my $dir = $path) =~ s![^/]*$!!;
    $set->{init} = $dir . $set->{initialization};

    while ($text =~ /<S ([^>]*)>/g) {
        my %s = attributes($1);

        $time = $s{t} // $time;

        for (0 .. $s{r} // 0) {
            push @{$set->{segments}}, { number => $n, t => $time,
                d => $s{d}, uri => $dir
                . ($set->{media} =~ s/\$Number\$/$n/r) };
            $n++;
            $time += $s{d};
        }
    }

    return $set;
}

# Each segment begins on its tick, and the file that they make is right.

sub check_media {
    my ($set) = @_;

    my $name = $set->{contentType};
    my $file = "$d/$name.mp4";
    my $data = get($set->{init})->{body};
    my @wrong;

    for my $s (@{$set->{segments}}) {
        my $a = get($s->{uri});
        my $body = ($a->{header}{'transfer-encoding'} // '') eq 'chunked'
            ? unchunked($a->{body}) : $a->{body};
        my ($tfdt) = $body =~ /tfdt\x01\0\0\0(.{8})/s;

        $tfdt = unpack 'Q>', $tfdt // "\0" x 8;
        push @wrong, "segment $s->{number} begins at $tfdt, not $s->{t}"
            if $tfdt != $s->{t};
        $data .= $body;
    }

    is("@wrong", '', "$name: " . @{$set->{segments}}
        . ' segments begin where the MPD says');

    $t->write_file("$name.mp4", $data);
    my $out = `$^X $Test::Nginx::ROOT/t/tools/check-mp4 --live $file 2>&1`;
    is($?, 0, "$name: their media go on") or diag($out);
}

sub unchunked {
    my ($text) = @_;
    my $out = '';

    while ($text =~ s/^([0-9a-f]+)\r\n//i && hex $1) {
        $out .= substr $text, 0, hex $1, '';
        $text =~ s/^\r\n//;
    }

    return $out;
}

sub seconds {
    my ($text) = @_;
    return $text =~ /^PT([\d.]+)S$/ ? $1 : -1;
}

sub date {
    my ($text) = @_;
    my @f = ($text // '') =~ /^(\d+)-(\d+)-(\d+)T(\d+):(\d+):(\d+)(\.\d+)Z$/
        or return 0;
    return timegm(@f[5, 4, 3, 2], $f[1] - 1, $f[0]) + $f[6];
}
