package Test::Nginx::SRT;

# Copyright (C) the nginx media suite authors

# SRT for tests with programs that are not ours, and MPEG-TS taken apart, frame
# by frame:
#
#     my $clip = ts_clip($t, 'clip', duration => 10);
#     srt_send($t, $clip, srt_url(port(10080), 'live/x', 'publish'));
#     my $p = srt_play($t, srt_url(port(10080), 'live/x', 'request'));
#
#     ... $p->take(); $p->video() > 50 ...
#     is($p->faults($clip), '', 'every frame of the clip, in order');
#     is($p->broken(), '', 'continuity');
#
# ffmpeg sends, srt-live-transmit (srt-tools) plays into a file.  A player is
# one of Test::Nginx::Player whose frames come from that file; digests of video
# are those of slices, so that other delimiters, parameter sets and stuffing
# make no other frame of one.

use warnings;
use strict;

use base qw/ Exporter Test::Nginx::Player /;

our @EXPORT = qw/ ts_clip srt_url srt_send srt_play srt_tool flv_digest /;

use Digest::MD5 qw/ md5 /;
use Time::HiRes qw/ time /;

use Test::Nginx;
use Test::Nginx::Player;

###############################################################################

# A clip of Test::Nginx::Player as MPEG-TS, too.

sub ts_clip {
    my ($t, $name, %o) = @_;

    my $clip = clip($t, $name, %o, digest => \&flv_digest);
    my $ts = $clip->{ts} = $t->testdir() . "/$name.ts";
    my $out = `ffmpeg -hide_banner -nostdin -y -v error -i $clip->{file} \\
        -c copy -f mpegts $ts 2>&1`;
    die "can't make a clip: $out\n" if $?;

    return $clip;
}

# The stream id stands there as it is: neither ffmpeg nor srt-live-transmit
# decodes it.

sub srt_url {
    my ($port, $name, $mode, %o) = @_;

    return "srt://127.0.0.1:$port?" . join '&',
        "streamid=#!::r=$name,m=$mode", map { "$_=$o{$_}" } sort keys %o;
}

# Latency in ms, as srt-live-transmit has it; ffmpeg's is in microseconds.

sub srt_send {
    my ($t, $clip, $url, %o) = @_;

    $url =~ s/([?&]latency=\d+)/${1}000/;

    return $t->run_daemon(qw/ ffmpeg -hide_banner -nostdin -loglevel warning
        -re -stream_loop /, defined $o{times} ? $o{times} - 1 : -1,
        '-i', $clip->{file}, qw/ -c copy -f mpegts /,
        $url . ($url =~ /\?/ ? '&' : '?') . 'pkt_size=1316');
}

sub srt_play {
    my ($t, $url, %o) = @_;

    my $self = __PACKAGE__->new(pids => {}, gaps => []);
    my $file = $self->{file} = $t->testdir() . "/srt$self->{n}.ts";

    $self->{t} = $t;
    $self->{pid} = $t->run_daemon('/bin/sh', '-c',
        'exec srt-live-transmit -q -a:no "$0" file://con >"$1"',
        $url, $file);

    return $self;
}

# t/bench/srt/srt_load, built where it is older than its source.

sub srt_tool {
    my $source = "$Test::Nginx::ROOT/t/bench/srt/srt_load.c";
    my $dir = ($ENV{TEST_NGINX_OBJS} || "$Test::Nginx::ROOT/objs")
        . '/bench/srt';
    my $tool = "$dir/srt_load";

    if (!-x $tool || -M $tool > -M $source) {
        my $cc = $ENV{CC} || 'cc';
        my $out = `mkdir -p '$dir' && $cc -O2 -o '$tool' '$source' -lsrt 2>&1`;
        die "srt_load: $out\n" if $?;
    }

    return $tool;
}

# Reads on; closed is set when its program has ended.

sub take {
    my ($self) = @_;

    my $ended = !$self->{t}->daemon_alive($self->{pid});

    if (!$self->{fh}) {
        open my $fh, '<:raw', $self->{file} or return;
        $self->{fh} = $fh;
        $self->{ts} = '';
    }

    # what was read to its end may have grown

    seek $self->{fh}, 0, 1;

    while (my $n = sysread $self->{fh}, $self->{ts}, 1 << 20,
        length $self->{ts})
    {
        $self->{bytes} += $n;
        $self->packets();
    }

    $self->{closed} ||= time() if $ended;

    return $self->{closed};
}

sub drop {
    my ($self) = @_;

    $self->{t}->stop_daemon($self->{pid})
        if $self->{t}->daemon_alive($self->{pid});
    $self->take();
    $self->pes($_) for values %{$self->{pids}};
    close $self->{fh} if $self->{fh};
}

# A file of TS, taken as if it were a player's.

sub file {
    my ($class, $file) = @_;

    my $self = $class->new(pids => {}, gaps => []);

    open my $fh, '<:raw', $file or die "$file: $!\n";
    $self->{ts} = do { local $/; <$fh> };
    $self->packets();
    $self->pes($_) for values %{$self->{pids}};

    return $self;
}

# What was wrong with the packets: '' or a text.

sub broken {
    my ($self, $from) = @_;

    my @gaps = @{$self->{gaps}}[($from || 0) .. $#{$self->{gaps}}];

    splice @gaps, 5 if @gaps > 5;
    return join '; ', @gaps;
}

# Frames of the clip against those that came, from the first to the last that
# did: { all, lost, damaged, end }.  A damaged one is not of the clip; end are
# those behind the last one.

sub losses {
    my ($self, $clip) = @_;

    my %r = (all => 0, lost => 0, damaged => 0, end => 0);

    for my $type (9, 8) {
        my $of = $clip->{$type};
        my @came = map { $of->{$_->{digest}} }
            grep { $_->{type} == $type && $_->{frame} } $self->tags();
        my @good = sort { $a <=> $b } grep { defined } @came;

        next if !@good;

        my $all = $good[-1] - $good[0] + 1;

        $r{all} += $all;
        $r{end} += keys(%$of) - 1 - $good[-1];
        $r{lost} += $all - @good;
        $r{damaged} += @came - @good;
    }

    return \%r;
}

###############################################################################

sub packets {
    my ($self) = @_;

    my $ts = \$self->{ts};
    my $pos = 0;

    for ( ; $pos + 188 <= length $$ts; $pos += 188) {
        my ($sync, $pid, $flags, $length, $field) = unpack 'CnCCC',
            substr $$ts, $pos, 6;

        if ($sync != 0x47) {
            $self->{fault} ||= "no packet at $self->{bytes}";
            next;
        }

        my $start = $pid & 0x4000;
        my $data = 4;

        $pid &= 0x1fff;
        $data += 1 + $length if $flags & 0x20;

        next if !($flags & 0x10) || $pid == 0x1fff;

        my $p = $self->{pids}{$pid} ||= { pid => $pid };
        my $jump = $flags & 0x20 && $length && $field & 0x80;

        if (defined $p->{cc} && (($p->{cc} + 1) & 15) != ($flags & 15)
            && !$jump)
        {
            push @{$self->{gaps}}, "PID $pid: " . ($flags & 15)
                . " after $p->{cc}";
        }

        push @{$self->{gaps}}, "PID $pid: discontinuity" if $jump;

        $p->{cc} = $flags & 15;

        if ($start) {
            $self->pes($p);
            $p->{data} = '';
        }

        $p->{data} .= substr $$ts, $pos + $data, 188 - $data
            if defined $p->{data} && $data < 188;
    }

    substr $$ts, 0, $pos, '';
}

# The one that has come to its end: frames.

sub pes {
    my ($self, $p) = @_;

    my $data = delete $p->{data};

    return if !defined $data || substr($data, 0, 3) ne "\0\0\1";

    my ($id, $header) = (unpack 'x3Cx4C', $data);

    return if !defined $header || length $data < 14;

    my @t = unpack 'x9Cnn', $data;
    my $ms = (($t[0] >> 1 & 7) * 2 ** 30 + ($t[1] >> 1) * 2 ** 15
        + ($t[2] >> 1)) / 90;

    substr $data, 0, 9 + $header, '';

    if (($id & 0xf0) == 0xe0) {
        my @nals = grep { length } split /\x00\x00\x01/, $data;
        s/\0+$// for @nals;
        $self->frame(9, $ms, slices(@nals));

    } elsif (($id & 0xe0) == 0xc0) {

        while (length $data > 7) {
            my ($sync, $b3, $b4, $b5) = unpack 'nxCCC', $data;
            my $n = ($b3 & 3) << 11 | $b4 << 3 | $b5 >> 5;

            last if ($sync & 0xfff0) != 0xfff0 || $n < 7;

            $self->frame(8, $ms, 'audio', md5(substr $data, $sync & 1 ? 7 : 9,
                $n - ($sync & 1 ? 7 : 9)));

            last if $n > length $data;
            substr $data, 0, $n, '';
        }
    }
}

sub frame {
    my ($self, $type, $ms, $kind, $digest) = @_;

    push @{$self->{tags}}, { type => $type, ms => $ms, kind => $kind,
        digest => $digest, at => time(), frame => 1 };
}

# What a picture is, and the digest of its slices.

sub slices {
    my @slices = grep { (ord($_) & 31) <= 5 } grep { length } @_;
    my $key = grep { (ord($_) & 31) == 5 } @slices;

    return ($key ? 'key' : 'inter', md5(join ' ', @slices));
}

# The same of a tag of FLV.

sub flv_digest {
    my ($type, $body) = @_;

    return md5($body) if $type != 8 && $type != 9;

    my ($a, $b) = unpack 'CC', $body;

    return md5(substr $body, 2) if $type == 8;
    return md5($body) if $b != 1;

    my @nals = unpack 'x5(N/a)*', $body;
    s/\0+$// for @nals;

    return (slices(@nals))[1];
}

1;
