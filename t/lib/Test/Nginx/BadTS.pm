package Test::Nginx::BadTS;

# Copyright (C) the nginx media suite authors

# MPEG-TS that is well-formed, and meant to cost its reader dear.

use warnings;
use strict;

use base qw/ Exporter /;

our @EXPORT = qw/ ts_bomb ts_endless ts_section ts_packet /;

use Test::Nginx::Torture qw/ junk /;

my %cc;

###############################################################################

# Thousands of programs, each with a PMT of its own, full of streams; sections
# that say to be longer than what comes.

sub ts_bomb {
    my @pat = map { pack 'nn', $_, 0xe000 | 32 + $_ } 1 .. 40;
    my $out = ts_section(0, 0, join('', @pat));

    for my $round (0 .. 99) {
        $out .= ts_section(0, 0, join '', map { pack 'nn', 40 * $round + $_,
            0xe000 | (32 + 40 * $round + $_) & 0x1fff } 1 .. 40);
    }

    for my $n (1 .. 200) {
        $out .= ts_section(32 + $n, 2, pack('nn', 0xe100, 0xf000)
            . join '', map { pack 'Cnn', (0x1b, 0x0f, 0x24, 0x06, 0xff)[$_ % 5],
                0xe000 | 300 + $n * 30 + $_ & 0x1fff, 0xf000 } 1 .. 30);
    }

    # one that is never over, descriptors that lie

    for my $n (1 .. 50) {
        $out .= ts_packet(33, 1, "\0\x02\xbf\xff" . junk(180), $n);
        $out .= ts_packet(33, 0, junk(184), $n + 1) for 1 .. 30;
        $out .= ts_section(34, 2, pack('nn', 0xe100, 0xffff) . junk(100));
    }

    return $out;
}

# Of one program, a PES packet that never ends.

sub ts_endless {
    my $out = ts_section(0, 0, pack 'nn', 1, 0xe100);

    $out .= ts_section(256, 2, pack('nn', 0xe101, 0xf000)
        . pack('Cnn', 0x1b, 0xe101, 0xf000) . pack('Cnn', 0x0f, 0xe102,
            0xf000));
    $out .= ts_packet(257, 1, "\0\0\1\xe0\0\0\x80\x80\5\x21\0\1\0\1"
        . "\0\0\0\1\x65" . junk(160), 0);
    $out .= ts_packet(257, 0, "\xaa" x 184, $_) for 1 .. 12000;

    return $out;
}

sub ts_section {
    my ($pid, $table, $data) = @_;

    my $n = length($data) + 9;
    my $s = "\0" . pack('Cn', $table, 0xb000 | $n & 0xfff)
        . pack('nCCC', 1, 0xc1, 0, 0) . $data;

    $s .= pack 'N', _crc(substr $s, 1);

    my ($out, $first) = ('', 1);

    while (length $s) {
        my $part = substr $s, 0, 184, '';
        $out .= ts_packet($pid, $first, $part . "\xff" x (184 - length $part),
            $cc{$pid}++);
        $first = 0;
    }

    return $out;
}

sub ts_packet {
    my ($pid, $first, $data, $cc) = @_;

    return pack('CnC', 0x47, ($first ? 0x4000 : 0) | $pid & 0x1fff,
        0x10 | $cc & 15) . substr $data . "\xff" x 184, 0, 184;
}

# ISO/IEC 13818-1, annex A

sub _crc {
    my ($data) = @_;

    my $crc = 0xffffffff;

    for my $byte (unpack 'C*', $data) {
        $crc ^= $byte << 24;
        $crc = ($crc << 1 ^ ($crc & 0x80000000 ? 0x04c11db7 : 0)) & 0xffffffff
            for 1 .. 8;
    }

    return $crc;
}

1;
