#!/usr/bin/perl

# Copyright (C) the nginx media suite authors

# Fragmented MP4 of streams that ffmpeg made: each codec the suite knows, by
# Enhanced FLV with its milliseconds and by MPEG-TS with its 90 kHz, goes
# through the suite's own parsers and writer (t/tools/mux-mp4), and comes out
# with every frame, at its time, without a fault that our checker or ffmpeg
# would find.  Then the checker itself, which must find what it is there for.

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use Test::Nginx;
use Test::Nginx::MP4;

use File::Temp qw/ tempdir /;

my @check = check_mp4();
my $dir = tempdir(CLEANUP => 1);
my ($status, $out);

for my $program (qw/ ffmpeg ffprobe /) {
    plan(skip_all => "$program not found")
        unless grep { -x "$_/$program" } split /:/, $ENV{PATH};
}

my $mux = mux_mp4();

ok($mux, 'the tool is built') or done_testing(), exit 1;

###############################################################################

# Times of the frames that ffmpeg decodes, in order.

sub frames {
    my ($file, $kind) = @_;

    my ($rc, $text) = run(qw/ ffprobe -v error -select_streams /, $kind,
        qw/ -show_entries frame=pts_time -of csv=p=0 /, $file);

    return sort { $a <=> $b } map { /^([0-9.]+),?$/ ? $1 : () }
        split /\n/, $text;
}

sub worst {
    my ($got, $want, $shift) = @_;
    my $worst = 0;

    for my $i (0 .. $#$want) {
        my $d = abs(($got->[$i] // -1) - $want->[$i] - $shift);
        $worst = $d if $d > $worst;
    }

    return $worst * 1000;
}

# Of a source: mux, check, compare.

sub convert {
    my ($name, $source, $input, $shift, $ms, @options) = @_;
    my $file = "$dir/out.mp4";

    my ($rc, $text) = run($mux, @options, $input, $file);

    is($rc, 0, "$name: written") or return diag($text);
    unlike($text, qr/^clock \d+ \d+ [1-9]|^clock \d+ \d+ \d+ [1-9]/m,
        "$name: no gap, nothing left out") or diag($text);

    my ($rc2, $found) = run(@check, $file);

    is($rc2, 0, "$name: checked") or diag($found);

    my ($rc3, $errors) = run(qw/ ffmpeg -nostdin -v warning -xerror
        -threads 1 -i /, $file, qw/ -map 0 -f null - /);

    is("$rc3$errors", '0', "$name: decoded without a warning");

    for my $kind (qw/ v a /) {
        my @want = frames($source, $kind);
        my @got = frames($file, $kind);

        next unless @want || @got;

        is(scalar @got, scalar @want, "$name: frames of $kind");
        cmp_ok(worst(\@got, \@want, $shift), '<=', $ms + 0.02,
            "$name: times of $kind");
    }

    return $text;
}

sub make {
    my ($file, @codecs) = @_;

    my $rate = grep({ /^(?:libopus|ac3|eac3)$/ } @codecs) ? 48000 : 44100;

    my ($rc, $text) = run(qw/ ffmpeg -nostdin -v error -y -threads 1 -f lavfi
        -i testsrc2=s=192x108:r=30000\/1001:d=2 -f lavfi -i /,
        "sine=440:r=$rate:d=2", qw/ -shortest /, @codecs, $file);

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
);

my %audio = (
    aac => [ qw/ -c:a aac -ac 2 / ], mp3 => [ qw/ -c:a libmp3lame / ],
    opus => [ qw/ -c:a libopus / ], ac3 => [ qw/ -c:a ac3 -ac 2 / ],
    eac3 => [ qw/ -c:a eac3 / ], flac => [ qw/ -c:a flac -strict -2 / ],
);

# Each codec once, through FLV.

for my $pair ([ qw/ h264 aac / ], [ qw/ hevc eac3 / ], [ qw/ av1 opus / ],
    [ qw/ vp9 flac / ], [ qw/ h264 mp3 / ], [ qw/ h264 ac3 / ])
{
    my ($v, $a) = @$pair;
    my ($source, $flv) = ("$dir/$v-$a.mp4", "$dir/$v-$a.flv");

    SKIP: {
        skip("no $v or $a encoder", 1)
            unless make($source, @{$video{$v}}, @{$audio{$a}},
                qw/ -use_editlist 0 -movflags +negative_cts_offsets /);

        to_flv($source, $flv);

        my $said = convert("$v, $a by FLV", $source, $flv, 1, 1);

        like($said, qr/^track \d (?:avc1|hvc1|av01|vp09)\./m,
            "$v: its name") if $said;
    }
}

convert('h264, aac, true ends', "$dir/h264-aac.mp4", "$dir/h264-aac.flv", 1, 1,
    '-e', '-p');

for my $only (qw/ video audio /) {
    my ($rc, $text) = run($mux, '-t', $only, "$dir/h264-aac.flv",
        "$dir/one.mp4");
    my ($rc2, $found) = run(@check, "$dir/one.mp4");

    is("$rc$rc2", '00', "$only alone") or diag("$text$found");
}

# And through MPEG-TS, where times are exact.

for my $pair ([ qw/ h264 aac / ], [ qw/ hevc ac3 / ], [ qw/ h264 opus / ],
    [ qw/ h264 mp3 / ], [ qw/ h264 eac3 / ])
{
    my ($v, $a) = @$pair;
    my $ts = "$dir/$v-$a.ts";

    SKIP: {
        skip("no $v or $a encoder", 1)
            unless make($ts, @{$video{$v}}, @{$audio{$a}}, qw/ -f mpegts /);

        convert("$v, $a by MPEG-TS", $ts, $ts, 0, 0.05);
    }
}

# HDR: colour, display and content, of the config or of SEI in the frames.

SKIP: {
    my $display = 'G(13250,34500)B(7500,3000)R(34000,16000)'
        . 'WP(15635,16450)L(10000000,1)';
    my ($source, $flv, $file) = map { "$dir/hdr$_" } '-s.mp4', '.flv', '.mp4';

    skip('no 10 bit hevc encoder', 3) unless make($source, qw/ -c:v libx265
        -preset ultrafast -pix_fmt yuv420p10le -x265-params /,
        "log-level=none:pools=1:keyint=15:hdr10=1:master-display=$display"
        . ':max-cll=1000,400:colorprim=bt2020:transfer=smpte2084'
        . ':colormatrix=bt2020nc', @{$audio{aac}});

    to_flv($source, $flv);

    my ($rc, $text) = run($mux, $flv, $file);
    my ($rc2, $boxes) = run(@check, $file);
    my ($rc3, $shown) = run(qw/ ffprobe -v error -select_streams v
        -show_streams /, $file);

    is("$rc$rc2", '00', 'HDR: written and checked') or diag("$text$boxes");
    like($text, qr/^track 1 hvc1\.2\.4\.L\d+\.90 /m, 'HDR: its name');

    for my $want ('color_transfer=smpte2084', 'color_primaries=bt2020',
        'color_space=bt2020nc', 'red_x=34000/50000',
        'white_point_y=16450/50000', 'max_luminance=10000000/10000',
        'min_luminance=1/10000', 'max_content=1000', 'max_average=400')
    {
        like($shown, qr/^\Q$want\E$/m, "HDR: $want");
    }
}

# Pixels that are not square.

SKIP: {
    my ($source, $flv, $file) = map { "$dir/sar$_" } '-s.mp4', '.flv', '.mp4';

    skip('no h264', 1) unless make($source, @{$video{h264}},
        qw/ -vf setsar=16\/11 /, @{$audio{aac}});

    to_flv($source, $flv);
    run($mux, $flv, $file);

    my ($rc, $shown) = run(qw/ ffprobe -v error -select_streams v
        -show_streams /, $file);

    like($shown, qr/^sample_aspect_ratio=16:11$/m, 'pixels of 16:11');
}

###############################################################################

# The checker: a good file, then the same with one fault each.

my ($init, @chunks);

{
    my ($rc, $text) = run($mux, "$dir/h264-aac.flv", "$dir/good.mp4");

    open my $fh, '<:raw', "$dir/good.mp4" or die "$dir/good.mp4: $!\n";
    my $data = do { local $/; <$fh> };
    close $fh;

    ($init) = $text =~ /^init 0 (\d+)$/m;
    $init = substr $data, 0, $init;
    push @chunks, substr $data, $1, $2
        while $text =~ /^chunk \d+ \d+ (\d+) (\d+) \d+$/mg;
}

sub faulty {
    my ($name, $want, @parts) = @_;

    open my $fh, '>:raw', "$dir/bad.mp4" or die "$dir/bad.mp4: $!\n";
    print $fh @parts;
    close $fh;

    my ($rc, $text) = run(@check, "$dir/bad.mp4");

    ok($rc == 1 && $text =~ $want, "found: $name") or diag("$rc: $text");
}

# One box of a string changed by code, its size kept.

sub edit {
    my ($data, $type, $code) = @_;
    my $at = index $data, $type;

    die "no $type\n" if $at < 0;

    my $size = unpack 'N', substr $data, $at - 4, 4;
    my $body = substr $data, $at + 4, $size - 8;
    my $new = $code->($body);

    substr $data, $at + 4, $size - 8, $new;

    return $data;
}

sub set {
    my ($offset, $bytes) = @_;
    return sub { my $b = $_[0]; substr $b, $offset, length $bytes, $bytes; $b };
}

my @good = @chunks[0 .. 3];

faulty('a chunk is missing', qr/mfhd: 2, then 4.*begins at/s, $init,
    @good[0, 1, 3]);
faulty('a chunk twice', qr/mfhd: 2, then 2/, $init, @good[0, 1, 1]);
faulty('cut off', qr/mdat of \d+ bytes in/, $init, $good[0],
    substr $good[1], 0, -1);
faulty('bytes between', qr/no box|bytes in/, $init, $good[0], "\0\0\0\0",
    $good[1]);
faulty('no init', qr/no ftyp and moov/, @good);
faulty('no trex', qr/no trex/, edit($init, 'trex', set(4, "\0\0\0\7")), @good);
faulty('no sample entry', qr/sample entry/, edit($init, 'avc1',
    sub { $_[0] }) =~ s/avc1(?=\0)/avcX/r, @good);
faulty('an edit of avcC', qr/boxes avcC/, $init =~ s/avcC/avcX/r, @good);
faulty('esds', qr/esds/, edit($init, 'esds', set(8, "\x21")), @good);
faulty('next_track_ID', qr/next_track_ID/, edit($init, 'mvhd',
    set(96, "\0\0\0\2")), @good);
faulty('a duration', qr/mvhd: a duration/, edit($init, 'mvhd',
    set(16, "\0\0\0\2")), @good);
faulty('tfdt', qr/track 1: chunk 2 begins at/, $init, $good[0],
    edit($good[1], 'tfdt', set(8, "\0\1\0\0")));
faulty('data_offset', qr/beyond its place/, $init,
    edit($good[0], 'trun', set(8, "\0\0\1\0")));
faulty('a size', qr/mdat has|NAL unit|beyond/, $init,
    edit($good[0], 'trun', set(20, "\0\0\1\0")));
faulty('no base', qr/base is not moof/, $init,
    edit($good[0], 'tfhd', set(1, "\0")));
faulty('a strange track', qr/no track 9/, $init,
    edit($good[0], 'tfhd', set(4, "\0\0\0\x09")));
faulty('a keyframe that is none', qr/sync/, $init,
    edit($good[0], 'trun', set(12, "\1\1\0\0")));

($status, $out) = run(@check, "$dir/good.mp4");
is($status, 0, 'nothing in a good file') or diag($out);

###############################################################################

done_testing();
