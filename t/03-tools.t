#!/usr/bin/perl

# Copyright (C) the nginx media suite authors

# The checker of transport streams finds what it is there for: a stream
# without faults made here, then the same with one fault each.

use warnings;
use strict;

use Test::More;

use Cwd qw/ abs_path /;
use File::Basename qw/ dirname /;
use File::Temp qw/ tempfile /;

my $tool = abs_path(dirname(__FILE__)) . '/tools/check-ts';

sub check {
    my ($stream, @options) = @_;

    my ($fh, $file) = tempfile(UNLINK => 1);
    binmode $fh;
    print $fh $stream;
    close $fh;

    open my $pipe, '-|', $^X, $tool, @options, $file or die;
    my $out = do { local $/; <$pipe> } // '';
    close $pipe;
    unlink $file;

    return ($? >> 8, $out);
}

###############################################################################

# Writing: H.264 at 25 fps on 0x100, with the clock, AAC on 0x101.

my %cc;

sub crc {
    my $crc = 0xffffffff;

    for my $byte (unpack 'C*', $_[0]) {
        $crc ^= $byte << 24;
        $crc = $crc & 0x80000000 ? ($crc << 1 ^ 0x04c11db7) & 0xffffffff
            : $crc << 1 for 1 .. 8;
    }

    return $crc;
}

sub packets {
    my ($pid, $data, $flags, $pcr) = @_;
    my $out = '';
    my $start = 0x4000;

    while (length $data) {
        my $field = '';

        if ($flags) {
            $field = pack 'C', $flags;
            $field .= pack 'Nn', $pcr >> 1, ($pcr & 1) << 15 | 0x7e00
                if $flags & 0x10;
            $field = chr(length $field) . $field;
        }

        my $left = 184 - length($field) - length $data;

        if ($left > 0) {
            $field = $field eq '' ? $left == 1 ? "\0" : "\1\0" : $field;
            $left = 184 - length($field) - length $data;
            $field .= "\xff" x $left;
            $field = chr(length($field) - 1) . substr $field, 1;
        }

        my $payload = substr $data, 0, 184 - length $field, '';

        $out .= pack('CnC', 0x47, $start | $pid,
            ($field eq '' ? 0x10 : 0x30) | $cc{$pid}++ & 15)
            . $field . $payload;
        ($start, $flags) = (0, 0);
    }

    return $out;
}

sub section {
    my ($pid, $table, $version, $body) = @_;

    my $section = pack('CnnCn', $table, 0xb000 | 9 + length $body, 1,
        0xc1 | $version << 1, 0) . $body;
    $section .= pack 'N', crc($section);
    $section = "\0$section";
    $section .= "\xff" x (184 - length $section);

    return packets($pid, $section, 0);
}

sub tables {
    my ($version) = @_;

    return section(0, 0, 0, pack 'nn', 1, 0xf000)
        . section(0x1000, 2, $version // 0, pack 'nnCnnCnn', 0xe100, 0xf000,
            0x1b, 0xe100, 0xf000, 0x0f, 0xe101, 0xf000);
}

sub stamp {
    my ($mark, $t) = @_;
    return pack 'Cnn', $mark << 4 | $t >> 29 & 0x0e | 1, $t >> 14 & 0xfffe | 1,
        $t << 1 & 0xfffe | 1;
}

sub pes {
    my ($id, $pts, $dts, $es) = @_;
    my $times = defined $dts ? stamp(3, $pts) . stamp(1, $dts)
        : stamp(2, $pts);

    return pack('NnCCC', 0x100 | $id, 3 + length($times) + length $es, 0x84,
        defined $dts ? 0xc0 : 0x80, length $times) . $times . $es;
}

sub adts {
    my ($size) = @_;
    return pack('C7', 0xff, 0xf1, 0x4c, 0x80 | ($size + 7) >> 11,
        ($size + 7) >> 3 & 255, (($size + 7) & 7) << 5 | 0x1f, 0xfc)
        . "\x21" x $size;
}

# The pieces of a stream: tables, video and audio by turns, each a string of
# packets; hooks change what goes into them.

sub pieces {
    my (%o) = @_;
    my @pieces;

    %cc = ();

    for my $n (0 .. 60) {
        my $t = $n * 3600;
        my $key = $n % 20 == 0;
        my $es = "\0\0\0\1\x09\xf0" . ($key ? "\0\0\1\x67abc\0\0\1\x68d" : '')
            . "\0\0\1" . ($key ? "\x65" : "\x41") . 'x' x (50 + $n * 31);
        my $au = adts(100) . adts(33);

        $es = $o{es}->($n, $es) if $o{es};
        $au = $o{au}->($n, $au) if $o{au};

        push @pieces, $n % 10 == 0 ? tables($o{version} && $o{version}->($n))
            : '';

        my @times = ($t + 48600, $t + 45000);

        @times = $o{times}->($n, @times) if $o{times};

        my $pes = pes($o{id} // 0xe0, @times, $es);
        my $flags = 0x10 | ($key ? 0x40 : 0);

        $pes = $o{pes}->($n, $pes) if $o{pes};
        $flags = $o{flags}->($n, $flags) if $o{flags};

        push @pieces, packets(0x100, $pes, $flags,
            $o{pcr} ? $o{pcr}->($n, $t) : $t);
        push @pieces, packets(0x101, pes(0xc0, $t + 45000, undef, $au), 0);
    }

    return @pieces;
}

sub stream { join '', pieces(@_) }

sub edit {
    my ($code) = @_;
    my @p = pieces();
    $code->(\@p);
    return join '', @p;
}

###############################################################################

my ($status, $out) = check(stream());

is($status, 0, 'a stream without faults') or diag($out);
like($out, qr/PCR after 40\.0 ms, PAT after 400 ms, PMT after 400 ms/,
    'distances');
like($out, qr/0x0100: h264, 61 PES, 4 keyframes.*\n.*0x0101: aac, 61 PES, 122/,
    'frames');

is((check(stream(), '--pcr=39'))[0], 1, 'a smaller distance of PCR');
is((check(stream(), '--tables=399'))[0], 1, 'of tables');

my @faults = (
    [ 'a packet is missing', qr/continuity_counter/,
        edit(sub { substr $_[0][31], 0, 188, '' }) ],
    [ 'a packet comes twice', qr/continuity_counter/,
        edit(sub { $_[0][32] x= 2 }) ],
    [ 'a byte too many', qr/sync byte/, edit(sub { $_[0][32] .= 'x' }) ],
    [ 'an error is told', qr/transport_error/,
        edit(sub { substr $_[0][32], 1, 1, "\xc1" }) ],
    [ 'a CRC', qr/PMT: CRC/, edit(sub { substr $_[0][30], 202, 1, 'x' }) ],
    [ 'tables are missing', qr/PAT after 800 ms.*PMT after 800 ms|PMT after/s,
        edit(sub { $_[0][30] = '' }) ],
    [ 'no tables at first', qr/before the PMT/,
        edit(sub { $_[0][0] = '' }) ],
    [ 'no tables at all', qr/no PAT and PMT/,
        edit(sub { $_[0][$_ * 30] = '' for 0 .. 6 }) ],
    [ 'a new version of nothing new', qr/new version of the same/,
        stream(version => sub { $_[0] > 25 ? 1 : 0 }) ],
    [ 'a PID without an entry', qr/0x0222: not in the PMT/,
        edit(sub { $_[0][33] .= packets(0x222, 'x' x 184, 0) }) ],
    [ 'PCR too far', qr/PCR after 80\.0 ms/,
        stream(flags => sub { $_[0] == 30 ? 0 : $_[1] }) ],
    [ 'PCR goes back', qr/PCR goes back by 10\.0 ms/,
        stream(pcr => sub { $_[0] == 30 ? 29 * 3600 - 900 : $_[1] }) ],
    [ 'PTS before DTS', qr/PTS before DTS/,
        stream(times => sub { $_[0] == 7 ? ($_[2] - 1, $_[2]) : @_[1, 2] }) ],
    [ 'DTS goes back', qr/DTS goes back by 4[0-9.]+ ms/,
        stream(times => sub { $_[0] == 7 ? ($_[1], $_[2] - 7300)
            : @_[1, 2] }) ],
    [ 'DTS before PCR', qr/DTS \d+\.\d ms before PCR/,
        stream(times => sub { ($_[1], $_[2] - 45100) }) ],
    [ 'a length', qr/PES: length/,
        stream(pes => sub { my $p = $_[1];
            substr $p, 4, 2, "\0\x40" if $_[0] == 9; $p }) ],
    [ 'a start code', qr/PES: start code/,
        stream(pes => sub { my $p = $_[1];
            substr $p, 2, 1, "\2" if $_[0] == 9; $p }) ],
    [ 'a marker bit', qr/marker bits/,
        stream(pes => sub { my $p = $_[1];
            substr $p, 13, 1, "\0" if $_[0] == 9; $p }) ],
    [ 'a stream_id', qr/stream_id 0xbd of h264/, stream(id => 0xbd) ],
    [ 'no delimiter', qr/begin with a delimiter/,
        stream(es => sub { $_[0] == 5 ? substr $_[1], 6 : $_[1] }) ],
    [ 'no parameter sets', qr/without parameter sets/,
        stream(es => sub { my $e = $_[1]; $e =~ s/\x67abc/\x06abc/
            if $_[0] == 20; $e }) ],
    [ 'no random access', qr/without random_access/,
        stream(flags => sub { 0x10 }) ],
    [ 'keyframe without tables', qr/without tables/,
        stream(es => sub { my $e = $_[1];
            $e = "\0\0\0\1\x09\xf0\0\0\1\x67a\0\0\1\x68b\0\0\1\x65c"
                if $_[0] == 25; $e }) ],
    [ 'an ADTS length', qr/aac: (?:no frame|a frame goes beyond)/,
        stream(au => sub { my $a = $_[1]; substr $a, 4, 1, "\x7f"
            if $_[0] == 9; $a }) ],
    [ 'no ADTS', qr/aac: no frame/,
        stream(au => sub { $_[0] == 9 ? 'garbage of ten' : $_[1] }) ],
    [ 'a cut off packet', qr/bytes behind the last/, stream() . 'x' x 100 ],
);

for my $case (@faults) {
    my ($name, $want, $stream) = @$case;

    ($status, $out) = check($stream);

    ok($status == 1 && $out =~ $want, $name) or diag($out);
}

is((check(''))[0], 1, 'an empty file is no stream');

open my $pipe, '-|', "$^X $tool /nonexistent 2>&1" or die;
my @lines = <$pipe>;
close $pipe;
is($? >> 8, 2, 'a file that is not there');

###############################################################################

done_testing();
