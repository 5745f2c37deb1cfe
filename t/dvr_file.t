#!/usr/bin/perl

# Copyright (C) the nginx media suite authors

# Files of recordings, of streams that ffmpeg made: each codec goes through
# the suite's own parsers and writers (t/tools/record-file) into each kind of
# file that has a form for it, batch by batch as the recorder does it, and
# comes out with every frame at its time, without a fault that our checkers or
# ffmpeg would find; also where the end was never written.

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use Test::Nginx;
use Test::Nginx::MP4;

use File::Temp qw/ tempdir /;

for my $program (qw/ ffmpeg ffprobe /) {
    plan(skip_all => "$program not found")
        unless grep { -x "$_/$program" } split /:/, $ENV{PATH};
}

my @check_mp4 = check_mp4();
my @check_ts = ($^X, "$Test::Nginx::ROOT/t/tools/check-ts");
my $dir = tempdir(CLEANUP => 1);
my $record = record_file();

ok($record, 'the tool is built') or done_testing(), exit 1;

sub record_file {
    my $mux = mux_mp4() or return;
    return $mux =~ s/mux-mp4$/record-file/r;
}

###############################################################################

sub slurp {
    my ($file) = @_;

    open my $fh, '<:raw', $file or return '';
    local $/;
    return <$fh>;
}

# Packets of a track: times in ms, size, hash.

sub packets_of {
    my ($file, $kind) = @_;

    my ($rc, $text) = run(qw/ ffprobe -v error -select_streams /, $kind,
        qw/ -show_packets -show_data_hash md5 -of compact=p=0 -show_entries /,
        'packet=pts_time,dts_time,size,data_hash', $file);

    my %seen;

    return map { +{ map { split /=/, $_, 2 } split /\|/ } }
        grep { /pts_time/ && !$seen{$_}++ } split /\n/, $text;
}

sub compare {
    my ($name, $source, $file, $kind, $shift, $ms, $same) = @_;

    my @want = packets_of($source, $kind) or return;
    my @got = packets_of($file, $kind);
    my ($worst, $other) = (0, 0);

    is(scalar @got, scalar @want, "$name: packets of $kind") or return;

    for my $i (0 .. $#want) {

        for my $time (qw/ pts_time dts_time /) {
            next if $want[$i]{$time} !~ /\d/ || $got[$i]{$time} !~ /\d/;
            my $d = abs($got[$i]{$time} - $want[$i]{$time} - $shift);
            $worst = $d if $d > $worst;
        }

        $other++ if $same && ($got[$i]{data_hash} // '')
            ne ($want[$i]{data_hash} // '');
    }

    cmp_ok($worst * 1000, '<=', $ms + 0.02, "$name: times of $kind");
    is($other, 0, "$name: payloads of $kind") if $same;
}

sub decoded {
    my ($name, $file) = @_;

    my ($rc, $errors) = run(qw/ ffmpeg -nostdin -v warning -xerror -threads 1
        -i /, $file, qw/ -map 0 -f null - /);

    is("$rc$errors", '0', "$name: decoded without a warning");
}

# How much later a file is: it begins at 0 with the earliest frame of all.

sub begins {
    my ($file) = @_;

    my ($first) = sort { $a <=> $b } grep { /\d/ }
        map { map { $_->{dts_time} } (packets_of($file, $_))[0] // () }
        qw/ v a /;

    return -$first;
}

# All of an input into a file: what the tool says.

sub record {
    my ($name, $input, $file, @options) = @_;

    my ($rc, $text) = run($record, @options, $input, $file);
    my ($bytes, $frames, $skipped) = $text =~ /^file (\d+) (\d+) (\d+) /m;

    is($rc, 0, "$name: written") or diag($text);
    is($skipped, 0, "$name: nothing left out");
    is($bytes, -s $file, "$name: its size is known");

    return $text;
}

sub make {
    my ($file, @codecs) = @_;

    my $rate = grep({ /^(?:libopus|ac3|eac3)$/ } @codecs) ? 48000 : 44100;

    my ($rc, $text) = run(qw/ ffmpeg -nostdin -v error -y -threads 1 -f lavfi
        -i testsrc2=s=192x108:r=30000\/1001:d=2.5 -f lavfi -i /,
        "sine=440:r=$rate:d=2.5", qw/ -shortest /, @codecs, $file);

    return $rc == 0 || diag("$file: $text") && 0;
}

my %video = (
    h264 => [ qw/ -c:v libx264 -preset veryfast -bf 3 -g 15 / ],
    hevc => [ qw/ -c:v libx265 -preset ultrafast -g 15 -x265-params /,
        'log-level=none:pools=1:keyint=15:bframes=3' ],
    av1 => [ qw/ -c:v libaom-av1 -cpu-used 8 -row-mt 0 -lag-in-frames 4
        -g 15 -b:v 200k / ],
    vp9 => [ qw/ -c:v libvpx-vp9 -deadline realtime -cpu-used 8 -g 15
        -b:v 200k / ],
    none => [ qw/ -vn / ],
);

my %audio = (
    aac => [ qw/ -c:a aac -ac 2 / ], mp3 => [ qw/ -c:a libmp3lame / ],
    opus => [ qw/ -c:a libopus / ], ac3 => [ qw/ -c:a ac3 -ac 2 / ],
    eac3 => [ qw/ -c:a eac3 / ], flac => [ qw/ -c:a flac -strict -2 / ],
    none => [ qw/ -an / ],
);

###############################################################################

# Each codec once: MP4, and FLV, from which the same MP4 can be made again.

for my $pair ([ qw/ h264 aac / ], [ qw/ hevc eac3 / ], [ qw/ av1 opus / ],
    [ qw/ vp9 flac / ], [ qw/ h264 mp3 / ], [ qw/ none aac / ],
    [ qw/ h264 none / ], [ qw/ none ac3 / ])
{
    my ($v, $a) = @$pair;
    my $name = "$v, $a";
    my ($source, $flv) = ("$dir/$v-$a-s.mp4", "$dir/$v-$a-s.flv");

    SKIP: {
        skip("no $v or $a encoder", 1)
            unless make($source, @{$video{$v}}, @{$audio{$a}},
                qw/ -use_editlist 0 -movflags +negative_cts_offsets /);

        to_flv($source, $flv);

        record("$name, MP4", $flv, "$dir/$v-$a.mp4");
        record("$name, FLV", $flv, "$dir/$v-$a.flv");
        record("$name, both", "$dir/$v-$a.flv", "$dir/again.mp4");

        my ($rc, $text) = run(@check_mp4, "$dir/$v-$a.mp4");
        is($rc, 0, "$name: MP4 is checked") or diag($text);

        decoded("$name, MP4", "$dir/$v-$a.mp4");

        my $shift = begins($source);

        compare("$name, MP4", $source, "$dir/$v-$a.mp4", $_, $shift, 1, 1)
            for qw/ v a /;

        ok(slurp("$dir/again.mp4") eq slurp("$dir/$v-$a.mp4"),
            "$name: FLV holds the same");
    }
}

# FLV as ffmpeg knows it; the end, and what is without it.

{
    my ($flv, $cut) = ("$dir/h264-aac.flv", "$dir/cut.flv");

    decoded('FLV', $flv);
    compare('FLV', "$dir/h264-aac-s.mp4", $flv, $_,
        begins("$dir/h264-aac-s.mp4"), 1, 1) for qw/ v a /;

    my $said = record('FLV, killed', "$dir/h264-aac-s.flv", $cut, '-n');

    decoded('FLV, killed', $cut);

    my ($rc, $text) = run(qw/ ffprobe -v error -show_entries
        format=duration:format_tags -of default=nk=0:nw=1 /, $flv);
    like($text, qr/^duration=2\.5\d+$/m, 'duration of FLV');
    unlike($text, qr/filler|   /, 'nothing strange in its metadata');

    # each start point is where the index says

    my $data = slurp($flv);
    my @keys = $said =~ /^key (\d+) \d+$/mg;
    my ($count, $places) = $data =~ /filepositions\x0a(.{4})(.*)/s;
    my @positions = map { unpack 'd>', substr $places, $_ * 9 + 1, 8 }
        0 .. unpack('N', $count) - 1;

    is(scalar @positions, scalar @keys, 'start points of FLV');
    is(join(' ', @positions[1 .. $#positions]), join(' ', @keys[1 .. $#keys]),
        'are those of the index');
    is(join('', map { sprintf '%02x%02x', unpack 'Cx10C', substr $data, $_, 12
        } @positions[1 .. $#positions]), '0917' x $#positions,
        'and keyframes');

    my ($rc2, $text2) = run($record, '-n', "$dir/h264-aac-s.flv",
        "$dir/cut.mp4");
    decoded('MP4, killed', "$dir/cut.mp4");
}

# MPEG-TS, where times are exact; each start point has tables and a clock.

for my $pair ([ qw/ h264 aac / ], [ qw/ hevc ac3 / ], [ qw/ h264 opus / ],
    [ qw/ h264 mp3 / ], [ qw/ none eac3 / ])
{
    my ($v, $a) = @$pair;
    my ($ts, $file) = ("$dir/$v-$a-s.ts", "$dir/$v-$a.ts");

    SKIP: {
        skip("no $v or $a encoder", 1)
            unless make($ts, @{$video{$v}}, @{$audio{$a}}, qw/ -f mpegts /);

        my $said = record("$v, $a, TS", $ts, $file);

        my ($rc, $text) = run(@check_ts, $file);
        is($rc, 0, "$v, $a: TS is checked") or diag($text);

        decoded("$v, $a, TS", $file);

        my @want = packets_of($ts, $v eq 'none' ? 'a' : 'v');
        my @got = packets_of($file, $v eq 'none' ? 'a' : 'v');
        my $shift = $got[0]{dts_time} - $want[0]{dts_time};

        compare("$v, $a, TS", $ts, $file, $_, $shift, 0.05) for qw/ v a /;

        my $data = slurp($file);
        my $pat = "\x47\x40\0";

        is(scalar(grep { substr($data, $_, 3) ne $pat }
            $said =~ /^key (\d+)/mg), 0, "$v, $a: start points of TS");
    }
}

###############################################################################

done_testing();
