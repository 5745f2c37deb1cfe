package Test::Nginx::MPEGTS;

# Copyright (C) the nginx media suite authors

# A sender of MPEG-TS in datagrams, a process of its own:
#
#     my $pid = ts_send($t, $clip, "127.0.0.1:$port", rtp => 1, mix => 1);
#
# The clip of Test::Nginx::SRT::ts_clip() goes out at the rate that its file
# and duration make, over and over (times => 1 ends it), 7 packets in each
# datagram.  rtp: RTP packets; mix: every tenth changes places with the one
# behind it, every thirteenth is sent twice; junk: every twentieth is followed
# by one of something else; size: bytes of a datagram where not 1316, which cuts
# packets; from: the port it is sent from.

use warnings;
use strict;

use base qw/ Exporter /;

our @EXPORT = qw/ ts_send /;

use IO::Socket::INET;
use Time::HiRes qw/ sleep time /;

use Test::Nginx;

###############################################################################

sub ts_send {
    my ($t, $clip, $to, %o) = @_;

    return $t->run_daemon(\&_send, $clip->{ts}, $to, duration => 8, %o);
}

sub _send {
    my ($file, $to, %o) = @_;

    open my $fh, '<:raw', $file or die "$file: $!\n";
    my $ts = do { local $/; <$fh> };

    my $s = IO::Socket::INET->new(Proto => 'udp', PeerAddr => $to,
        $o{from} ? (LocalPort => $o{from}, ReuseAddr => 1) : ())
        or die "no socket: $@\n";

    my $size = $o{size} || 1316;
    my $step = $o{duration} * $size / length $ts;
    my ($seq, $next, $n, $held) = (65530, time(), 0);

    for (my $i = 0; !defined $o{times} || $i < $o{times}; $i++) {
        for (my $pos = 0; $pos < length $ts; $pos += $size) {
            my $data = substr $ts, $pos, $size;

            $data = pack('CCnNN', 0x80, 33, $seq++ & 0xffff, 0, 7) . $data
                if $o{rtp};

            my @out = ($data);

            if ($o{mix}) {
                if ($n % 10 == 3) {
                    $held = $data;
                    @out = ();
                } elsif (defined $held) {
                    @out = ($data, $held);
                    undef $held;
                }

                push @out, @out if $n % 13 == 5;
            }

            push @out, 'x' x 700, "\x80\xc8" . 'r' x 60, pack('C*', 0 .. 255)
                if $o{junk} && $n % 20 == 7;

            $s->send($_) for @out;

            $n++;
            $next += $step;

            my $wait = $next - time();
            sleep($wait) if $wait > 0;
        }
    }
}

1;
