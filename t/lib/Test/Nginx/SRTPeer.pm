package Test::Nginx::SRTPeer;

# Copyright (C) the nginx media suite authors

# A caller of SRT, by hand: as much of the protocol as tests need to see what a
# listener answers, down to the code of a refusal and the address it comes from.
#
#     my $p = Test::Nginx::SRTPeer->new('127.0.0.1', port(10080),
#         id => '#!::r=live/x,m=publish', latency => 300);
#
#     $p->{code}                      0, a reject code, or undef: no answer
#     $p->{latency}                   [ received, sent ] as the listener says
#     $p->send($ts);                  bytes of MPEG-TS
#     $p->serve(0.5);                 answers what has to be for so long
#     $p->{received}                  bytes of media that came
#     $p->close();                    says so; ->forget() does not
#
# The socket is connected, so that an answer from another address is not heard.
# Nothing is sent again.  draft-sharabayko-srt-01.

use warnings;
use strict;

use IO::Select;
use IO::Socket::IP;
use Time::HiRes qw/ time sleep /;

use constant { INDUCTION => 1, CONCLUSION => 0xffffffff };

my $number = 1000 + $$ % 10000;

sub new {
    my ($class, $host, $port, %o) = @_;

    my $self = bless {
        id => '', latency => 120, version => 5, timeout => 5, seq => 1000,
        received => 0, msg => 0, closed => 0, number => ++$number,
        start => time(), %o,
    }, $class;

    my $want = delete $self->{latency};

    $self->{socket} = IO::Socket::IP->new(Proto => 'udp', PeerHost => $host,
        PeerPort => $port, $o{from} ? (LocalHost => $o{from}) : ())
        or die "no socket: $@\n";

    my $hs = $self->handshake(INDUCTION, version => 4, ext => 2, cookie => 0)
        or return $self;

    $self->{cookie} = $hs->{cookie};

    my $ext = pack 'nnNNnn', 1, 3, 0x00010501, 0xbf, $want, $want;
    my $flags = 1;

    if (length $self->{id}) {
        my $id = $self->{id} . "\0" x (-length($self->{id}) % 4);
        $ext .= pack('nn', 5, length($id) / 4)
            . pack 'N*', unpack 'V*', $id;
        $flags |= 4;
    }

    $hs = $self->handshake(CONCLUSION, version => $self->{version},
        ext => $self->{version} > 4 ? $flags : 2, cookie => $hs->{cookie},
        more => $self->{version} > 4 ? $ext : '') or return $self;

    $self->{code} = $hs->{type} == CONCLUSION ? 0 : $hs->{type} - 1000;
    $self->{peer} = $hs->{socket};
    $self->{mss} = $hs->{mss};
    $self->{latency} = $hs->{latency};

    return $self;
}

# Sends it until there is an answer that is not of the other phase.

sub handshake {
    my ($self, $type, %o) = @_;

    my $end = time() + $self->{timeout};
    my $packet = pack('N4', 0x80000000, 0, $self->stamp(), 0)
        . pack('NnnNNNNNN x16', $o{version}, 0, $o{ext}, $self->{seq}, 1500,
            8192, $type, $self->{number}, $o{cookie}) . ($o{more} // '');
    my $next = 0;

    while (time() < $end) {

        if (time() >= $next) {
            CORE::send($self->{socket}, $packet, 0);
            $next = time() + 0.1;
        }

        my $p = $self->read(0.1) // next;

        next unless length $p >= 64 && unpack('N', $p) == 0x80000000;

        my %hs;

        @hs{qw/ version enc ext seq mss window type socket cookie /}
            = unpack 'NnnNNNNNN', substr $p, 16;

        # the answer to an induction that was sent twice

        next if $type == CONCLUSION && $hs{type} == INDUCTION;

        my $more = substr $p, 64;

        while (length $more >= 4) {
            my ($what, $n) = unpack 'nn', $more;
            $hs{latency} = [ unpack 'nn', substr $more, 12, 4 ] if $what == 2;
            $more = length $more > 4 + 4 * $n ? substr $more, 4 + 4 * $n : '';
        }

        return \%hs;
    }

    return undef;
}

sub stamp {
    my ($self) = @_;
    return int((time() - $self->{start}) * 1e6) & 0xffffffff;
}

sub read {
    my ($self, $timeout) = @_;

    return undef unless IO::Select->new($self->{socket})->can_read($timeout);

    my $buf = '';
    return defined CORE::recv($self->{socket}, $buf, 2000, 0) ? $buf : undef;
}

sub control {
    my ($self, $type, $info, $body) = @_;

    CORE::send($self->{socket}, pack('nnNNN', 0x8000 | $type, 0, $info // 0,
        $self->stamp(), $self->{peer}) . ($body // "\0" x 4), 0);
}

sub send {
    my ($self, $ts) = @_;

    for (my $i = 0; $i < length $ts; $i += 1316) {
        $self->{msg} = $self->{msg} % 0x3ffffff + 1;
        CORE::send($self->{socket}, pack('NNNN', $self->{seq},
            0xc0000000 | $self->{msg}, $self->stamp(), $self->{peer})
            . substr($ts, $i, 1316), 0);
        $self->{seq} = ($self->{seq} + 1) & 0x7fffffff;
    }
}

# Acknowledges all that comes, and says that it is there.

sub serve {
    my ($self, $seconds, $until) = @_;

    my $end = time() + $seconds;

    while (time() < $end && !$self->{closed}) {

        if (time() > ($self->{alive} // 0) + 0.3) {
            $self->control(1);
            $self->{alive} = time();
        }

        my $p = $self->read(0.05);

        $self->take($p) if defined $p && length $p >= 16;

        return 1 if $until && $until->($self);
    }

    return $self->{closed};
}

sub take {
    my ($self, $p) = @_;

    my ($head, $info) = unpack 'NN', $p;

    if ($head & 0x80000000) {
        my $type = $head >> 16 & 0x7fff;

        $self->control(6, $info) if $type == 2 && $info;
        $self->{closed} = 1 if $type == 5;
        return;
    }

    $self->{received} += length($p) - 16;
    $self->{encrypted} = 1 if $info & 0x18000000;

    # what is acknowledged is the next one

    $self->control(2, ++$self->{ack}, pack 'N*', ($head + 1) & 0x7fffffff,
        20000, 5000, 8000, 1000, 10000, 1000000);
}

sub close {
    my ($self) = @_;

    $self->control(5) if defined $self->{peer} && !$self->{closed};
    $self->{closed} = 1;
    $self->forget();
}

sub forget {
    my ($self) = @_;
    $self->{socket}->close();
}

1;
