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

use Cwd qw/ abs_path /;
use File::Basename qw/ dirname /;
use File::Temp qw/ tempdir /;

my $root = abs_path(dirname(__FILE__) . '/..');
my $objs = $ENV{TEST_NGINX_OBJS} || "$root/objs";
my $mux = "$objs/unit/tools/mux-mp4";
my $check = "$root/t/tools/check-mp4";
my $dir = tempdir(CLEANUP => 1);

chdir $root or die;

for my $program (qw/ ffmpeg ffprobe /) {
    plan(skip_all => "$program not found")
        unless grep { -x "$_/$program" } split /:/, $ENV{PATH};
}

sub run {
    my (@command) = @_;

    open my $fh, '-|', 'timeout', '-k', 5, 120, 'sh', '-c',
        'exec "$@" 2>&1 </dev/null', 'sh', @command or die "$command[0]: $!\n";
    my $out = do { local $/; <$fh> } // '';
    close $fh;

    return ($? >> 8, $out);
}

my ($status, $out) = run('make', '-ks', '-f', 't/tools/unit.mk', 'tools',
    "OBJS=$objs");

is($status, 0, 'the tool is built') or diag($out);

###############################################################################

# What ffmpeg wrote: extradata of a stream, packets with their bytes.

sub packets {
    my ($file) = @_;

    my ($rc, $text) = run(qw/ ffprobe -v error -of compact -show_entries /,
        'packet=stream_index,pts_time,dts_time,size,pos,flags', $file);
    my ($rc2, $dump) = run(qw/ ffprobe -v error -show_data -of json
        -show_entries /, 'stream=index,codec_name,extradata', $file);

    my (@streams, @packets);

    while ($dump =~ /"index":\s*(\d+),\s*"codec_name":\s*"(\w+)"
        (?:,\s*"extradata":\s*"((?:[^"\\]|\\.)*)")?/gsx)
    {
        my ($i, $name, $lines, $hex) = ($1, $2, $3 // '', '');

        $hex .= $1 while $lines =~ /[0-9a-f]{8}: ((?:[0-9a-f]{2,4} ?)+)/g;
        $hex =~ s/ //g;

        $streams[$i] = { codec => $name, extra => pack 'H*', $hex };
    }

    open my $fh, '<:raw', $file or die "$file: $!\n";

    while ($text =~ /^packet\|(.*)$/mg) {
        my %p = map { split /=/, $_, 2 } split /\|/, $1;

        seek $fh, $p{pos}, 0;
        read $fh, $p{data}, $p{size};
        push @packets, \%p;
    }

    close $fh;

    return (\@streams, \@packets);
}

my %FOURCC = (h264 => 'avc1', hevc => 'hvc1', av1 => 'av01', vp9 => 'vp09',
    vp8 => 'vp08', aac => 'mp4a', mp3 => '.mp3', opus => 'Opus',
    ac3 => 'ac-3', eac3 => 'ec-3', flac => 'fLaC');

my %VIDEO = map { $_ => 1 } qw/ h264 hevc av1 vp9 vp8 /;

sub tag {
    my ($type, $ms, $body) = @_;
    my $size = length $body;

    return pack('CCnnCCn', $type, $size >> 16, $size & 0xffff,
        $ms >> 8 & 0xffff, $ms & 0xff, $ms >> 24, 0) . "\0" . $body
        . pack 'N', $size + 11;
}

# A file of ffmpeg as Enhanced FLV, a second later.

sub to_flv {
    my ($from, $to) = @_;
    my ($streams, $packets) = packets($from);
    my $flv = pack 'a3CCNN', 'FLV', 1, 5, 9, 0;

    for my $s (@$streams) {
        my $extra = $s->{extra};

        next if $extra eq '' || $s->{codec} eq 'mp3'
            || $s->{codec} eq 'vp8';

        $extra = "fLaC\x80\0\0\x22$extra"
            if $s->{codec} eq 'flac' && $extra !~ /^fLaC/;

        my $fourcc = $FOURCC{$s->{codec}};

        $flv .= $VIDEO{$s->{codec}} ? tag(9, 1000, "\x90$fourcc$extra")
            : tag(8, 1000, "\x90$fourcc$extra");
    }

    for my $p (sort { $a->{dts_time} <=> $b->{dts_time} } @$packets) {
        my $s = $streams->[$p->{stream_index}];
        my ($pts, $dts) = map { int($_ * 1000 + 1000.5) } $p->{pts_time},
            $p->{dts_time};
        my $fourcc = $FOURCC{$s->{codec}};

        if (!$VIDEO{$s->{codec}}) {
            $flv .= tag(8, $dts, "\x91$fourcc$p->{data}");
            next;
        }

        my $key = $p->{flags} =~ /K/ ? 0x10 : 0x20;
        my $cts = $fourcc =~ /^(?:avc|hvc)/
            ? substr(pack('N', ($pts - $dts) & 0xffffff), 1) : '';

        $flv .= tag(9, $dts, chr(0x81 | $key) . "$fourcc$cts$p->{data}");
    }

    open my $fh, '>:raw', $to or die "$to: $!\n";
    print $fh $flv;
    close $fh;
}

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

    my ($rc2, $found) = run($^X, $check, $file);

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
    my ($rc2, $found) = run($^X, $check, "$dir/one.mp4");

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

    my ($rc, $text) = run($^X, $check, "$dir/bad.mp4");

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

($status, $out) = run($^X, $check, "$dir/good.mp4");
is($status, 0, 'nothing in a good file') or diag($out);

###############################################################################

done_testing();
