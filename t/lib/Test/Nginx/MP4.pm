package Test::Nginx::MP4;

# Copyright (C) the nginx media suite authors

# Streams of any codec for the tests of fragmented MP4: a file that ffmpeg
# wrote becomes Enhanced FLV, which ffmpeg before 6.1 cannot write itself, and
# t/tools/mux-mp4 makes fragmented MP4 of it.

use warnings;
use strict;

use base qw/ Exporter /;

our @EXPORT = qw/ run mux_mp4 check_mp4 to_flv /;

use Test::Nginx;

my $objs = $ENV{TEST_NGINX_OBJS} || "$Test::Nginx::ROOT/objs";


# A command with a limit of time: its status and all that it printed.

sub run {
    my (@command) = @_;

    open my $fh, '-|', 'timeout', '-k', 5, 120, 'sh', '-c',
        'exec "$@" 2>&1 </dev/null', 'sh', @command or die "$command[0]: $!\n";
    my $out = do { local $/; <$fh> } // '';
    close $fh;

    return ($? >> 8, $out);
}

# The tool, built where it is not; undef where it cannot be.

sub mux_mp4 {
    my ($status, $out) = run('make', '-ks', '-C', $Test::Nginx::ROOT, '-f',
        't/tools/unit.mk', 'tools', "OBJS=$objs");

    print map { "# $_\n" } split /\n/, $out if $status;

    return $status ? undef : "$objs/unit/tools/mux-mp4";
}

sub check_mp4 { return ($^X, "$Test::Nginx::ROOT/t/tools/check-mp4") }

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
        my %p = map { split /=/, $_, 2 } grep { /=/ } split /\|/, $1;

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

1;
