package Packets;

# Copyright (C) the nginx media suite authors

# Publishes files over RTMP in real time, packet by packet as ffprobe tells
# them, so that every codec can be sent that Enhanced RTMP has a FourCC for,
# also where the ffmpeg of this system has none in FLV:
#
#     my $clip = packets("$d/clip.mp4");
#     my $pid = send_packets($t, 'live', 'name', $clip, ...);
#
# The files come one behind the other in one publish, which makes another
# codec in the middle of a stream.  They have to be of a container that keeps
# NAL with lengths (MP4, Matroska).

use warnings;
use strict;

use base qw/ Exporter /;

our @EXPORT = qw/ packets send_packets /;

use List::Util qw/ max min /;
use Time::HiRes qw/ sleep time /;

use Test::Nginx;
use Test::RTMP;


my %FOURCC = (h264 => 'avc1', hevc => 'hvc1', opus => 'Opus', ac3 => 'ac-3',
    eac3 => 'ec-3', flac => 'fLaC', mp3 => '.mp3', aac => 'mp4a');


# What is in a file: { streams => [ { codec, extra } ], packets => [ { stream,
# dts, cts, key, data } ] in the order of their dts, length }; times are
# seconds from the first dts.

sub packets {
    my ($file) = @_;

    open my $fh, '-|', qw/ ffprobe -v error -show_data -show_entries /,
        'stream=index,codec_name,extradata'
        . ':packet=stream_index,pts_time,dts_time,duration_time,flags,data',
        $file or die "ffprobe: $!\n";

    my (@streams, @packets, %now);

    while (my $line = <$fh>) {

        if ($line =~ /^\[(?:STREAM|PACKET)\]/) {
            %now = (hex => '');

        } elsif ($line =~ /^[0-9a-f]{8}: (.{39})/) {
            $now{hex} .= $1;

        } elsif ($line =~ /^(\w+)=(\S*)/) {
            $now{$1} = $2;

        } elsif ($line =~ m!^\[/(STREAM|PACKET)\]!) {
            my $section = $1;
            my $data = pack 'H*', $now{hex} =~ s/\s//gr;

            if ($section eq 'STREAM') {
                $streams[$now{index}] = { codec => $now{codec_name},
                    extra => $data };
                next;
            }

            push @packets, { stream => $now{stream_index}, data => $data,
                dts => $now{dts_time}, cts => $now{pts_time} - $now{dts_time},
                length => $now{duration_time} || 0,
                key => $now{flags} =~ /K/ ? 1 : 0 };
        }
    }

    close $fh;
    die "no packets in $file\n" unless @packets;

    my $first = min(map { $_->{dts} } @packets);

    $_->{dts} -= $first for @packets;
    @packets = sort { $a->{dts} <=> $b->{dts} } @packets;

    return { streams => \@streams, packets => \@packets,
        length => max(map { $_->{dts} + $_->{length} } @packets) };
}


# Publishes them in a process of its own, which ends behind the last one;
# gives its pid.

sub send_packets {
    my ($t, $app, $name, @clips) = @_;

    my $port = port(8035);

    return $t->run_daemon(sub {
        my $p = Test::RTMP->new($port, chunk => 4096)->connect($app);
        my ($begin, $at) = (time(), 0);

        $p->publish($name) or die "no publish of $name\n";

        for my $clip (@clips) {
            _configs($p, $clip, $at);

            for my $packet (@{$clip->{packets}}) {
                my $wait = $begin + $at + $packet->{dts} - time();

                sleep($wait) if $wait > 0;
                _packet($p, $clip, $packet, $at);

                # what the server says is not needed

                $p->fill(time() + 0.0001);
                $p->{in} = '';
            }

            $at += $clip->{length};
        }

        sleep(0.5);
        $p->close();
    });
}


sub _configs {
    my ($p, $clip, $at) = @_;

    my $ms = int($at * 1000 + 0.5);

    for my $s (@{$clip->{streams}}) {
        my $codec = $s->{codec};

        if ($codec eq 'h264') {
            $p->video($ms, "\x17\0\0\0\0" . $s->{extra});

        } elsif ($codec eq 'hevc') {
            $p->video($ms, "\x90hvc1" . $s->{extra});

        } elsif ($codec eq 'aac') {
            $p->audio($ms, "\xaf\0" . $s->{extra});

        } elsif ($codec =~ /^(?:opus|flac)$/) {
            $p->audio($ms, "\x90$FOURCC{$codec}" . $s->{extra});
        }
    }
}


sub _packet {
    my ($p, $clip, $packet, $at) = @_;

    my $codec = $clip->{streams}[$packet->{stream}]{codec};
    my $ms = int(($at + $packet->{dts}) * 1000 + 0.5);
    my $cts = substr pack('N', int($packet->{cts} * 1000 + 0.5)), 1;
    my $type = $packet->{key} ? 1 : 2;

    if ($codec eq 'h264') {
        $p->video($ms, chr($type << 4 | 7) . "\1$cts$packet->{data}");

    } elsif ($codec eq 'hevc') {
        $p->video($ms, chr(0x80 | $type << 4 | 1) . "hvc1$cts$packet->{data}");

    } elsif ($codec eq 'aac') {
        $p->audio($ms, "\xaf\1$packet->{data}");

    } elsif ($codec eq 'mp3') {
        $p->audio($ms, "\x2f$packet->{data}");

    } else {
        $p->audio($ms, "\x91$FOURCC{$codec}$packet->{data}");
    }
}


1;
