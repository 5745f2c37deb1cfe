#!/usr/bin/perl

# Copyright (C) the nginx media suite authors

# The relay that impairs does what it is told, and nothing else: TCP and UDP
# through it to an echo here.

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use IO::Select;
use IO::Socket::INET;
use Socket qw/ SOL_SOCKET SO_RCVBUF /;
use Test::Nginx;
use Test::Nginx::Impair;
use Time::HiRes qw/ sleep time /;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new();
my $tcp = IO::Socket::INET->new(Listen => 16, LocalAddr => '127.0.0.1')
    or die "no socket: $!\n";
my $udp = IO::Socket::INET->new(Proto => 'udp', LocalAddr => '127.0.0.1')
    or die "no socket: $!\n";
my %to = (tcp => $tcp->sockport(), udp => $udp->sockport());

setsockopt($udp, SOL_SOCKET, SO_RCVBUF, 4 * 1024 * 1024);

# nothing

my $net = impair();
my @got = packets($net, 1000);

is(scalar @got, 1000, 'UDP: every packet');
is("@got", join(' ', 1 .. 1000), 'UDP: in order');

my $s = client($net);
my $c = $tcp->accept();
my $data = join '', map { chr($_ * 7 & 255) x 100 } 1 .. 20000;

is(through($s, $c, $data), $data, 'TCP: every byte');
is(through($c, $s, $data), $data, 'TCP: and back');

# one direction is closed, the other goes on

shutdown $s, 1;
is(receive($c, 1, 3), '', 'TCP: the end of one direction');
is(through($c, $s, 'still there'), 'still there', 'TCP: the other one');
close $c;
is(receive($s, 1, 3), '', 'TCP: the end of both');

my $seen = $net->end();
is($seen->{up}{packets} > 1000 && $seen->{up}{lost}, 0, 'nothing is lost');
is($seen->{resets}, 0, 'nothing is reset');

# loss

my @fate;

for my $seed (5, 5, 6) {
    $net = impair(loss => 10, seed => $seed);
    push @fate, join ' ', packets($net, 2000);
    $seen = $net->end();
}

is($fate[0], $fate[1], 'loss: the same seed, the same packets');
isnt($fate[0], $fate[2], 'loss: another seed');

my $n = split ' ', $fate[0];
ok($n > 1740 && $n < 1860, "loss: $n of 2000, 10% lost");

$net = impair(up_loss => 10, up_burst => 8);
@got = packets($net, 4000);
$net->end();

my $bursts = grep { $got[$_] != $got[$_ - 1] + 1 } 1 .. $#got;
my $lost = 4000 - @got;

ok($lost > 200 && $lost < 640, "bursts: $lost of 4000 lost");
ok($bursts && $lost / $bursts > 4 && $lost / $bursts < 14,
    sprintf 'bursts: %.1f one behind the other', $lost / ($bursts || 1));

# delay, jitter, order

$net = impair(delay => 40);
my $took = round_trip($net);
ok($took > 0.079 && $took < 0.12, sprintf 'delay: %.0f ms there and back',
    $took * 1000);
$net->end();

$net = impair(up_delay => 20, up_jitter => 15);
@got = packets($net, 500, gap => 0.0004);
is("@got", join(' ', 1 .. 500), 'jitter: in order');
$net->end();

$net = impair(reorder => 10);
@got = packets($net, 500, gap => 0.0004);
my $back = grep { $got[$_] < $got[$_ - 1] } 1 .. $#got;
is(scalar @got, 500, 'reorder: nothing is lost');
ok($back > 10, "reorder: $back times");
$net->end();

$net = impair(duplicate => 20);
@got = packets($net, 500);
ok(@got > 550 && @got < 650, 'duplicate: ' . @got . ' of 500');
$net->end();

# rate

$net = impair(rate => 8000, queue => 20);
@got = packets($net, 200, size => 1000);
$seen = $net->end();
is($seen->{up}{full} + @got, 200, 'rate: UDP that does not fit is lost');
ok(@got > 15 && @got < 60, 'rate: ' . @got . ' of 200 pass');

$net = impair(rate => 8000);
$s = client($net);
$c = $tcp->accept();
my $begun = time();
is(length through($s, $c, 'x' x 500000), 500000, 'rate: TCP passes');
$took = time() - $begun;
ok($took > 0.4 && $took < 1, sprintf 'rate: 500 KB in %.2f s', $took);
$net->end();

# another port, and resets

$net = impair();
$s = udp_client($net);
send $s, pack('N', 1), 0;
my $first = recv_from();
$net->rebind();
sleep(0.1);
send $s, pack('N', 2), 0;
my $second = recv_from();
ok($first && $second && $first ne $second, 'rebind: another port');
$seen = $net->end();
is($seen->{rebinds}, 1, 'rebind: once');

$net = impair(reset_bytes => 10000);
$s = client($net);
$c = $tcp->accept();
syswrite $s, 'x' x 20000;
ok(was_reset($s), 'reset: the client');
ok(was_reset($c), 'reset: the server');
$net->end();

$net = impair(reset => 200);
$s = client($net);
$c = $tcp->accept();
is(through($s, $c, 'now'), 'now', 'reset: not yet');
ok(was_reset($s), 'reset: after some time');
$seen = $net->end();
is($seen->{resets}, 1, 'reset: one');

# what it does not know

for my $option ('--tcp=0', '--los=5', '--loss=x', '--loss', 'x', '') {
    my $out = `@{[ Test::Nginx::Impair::tool() ]} $option 2>&1`;
    is($? >> 8, 2, "refused: $option");
}

done_testing();

###############################################################################

sub impair { return Test::Nginx::Impair->new($t, %to, @_) }

sub client {
    return IO::Socket::INET->new(PeerAddr => '127.0.0.1',
        PeerPort => $_[0]{tcp}) || die "can't connect: $!\n";
}

sub udp_client {
    return IO::Socket::INET->new(PeerAddr => '127.0.0.1', Proto => 'udp',
        PeerPort => $_[0]{udp}) || die "can't connect: $!\n";
}

# numbered packets: those that come

sub packets {
    my ($net, $n, %o) = @_;

    my $s = udp_client($net);
    my (@got, $in);

    for my $i (1 .. $n) {
        send $s, pack('N', $i) . 'x' x (($o{size} || 50) - 4), 0;
        sleep($o{gap} || 0.001) if $o{gap} || $i % 50 == 0;
    }

    while (IO::Select->new($udp)->can_read(0.3)) {
        recv $udp, $in, 2000, 0;
        push @got, unpack 'N', $in;
    }

    return @got;
}

sub recv_from {
    return IO::Select->new($udp)->can_read(2) ? recv $udp, my $in, 2000, 0
        : undef;
}

sub round_trip {
    my ($net) = @_;

    my $s = udp_client($net);
    my $begun = time();

    send $s, 'x', 0;

    my $from = recv_from();

    send $udp, 'y', 0, $from if $from;
    IO::Select->new($s)->can_read(2);

    return time() - $begun;
}

# what the one sends and the other gets

sub through {
    my ($from, $to, $data) = @_;

    my ($in, $sent) = ('', 0);
    my $end = time() + 10;

    $from->blocking(0);

    while (length $in < length $data && time() < $end) {
        $sent += syswrite($from, $data, 65536, $sent) // 0
            if $sent < length $data;
        next unless IO::Select->new($to)->can_read(0.01);
        last unless sysread $to, $in, 65536, length $in;
    }

    $from->blocking(1);

    return $in;
}

sub receive {
    my ($s, $n, $timeout) = @_;

    my $in = 'nothing';

    sysread $s, $in, $n if IO::Select->new($s)->can_read($timeout);

    return $in;
}

sub was_reset {
    my ($s) = @_;

    my $end = time() + 3;

    while (time() < $end) {
        IO::Select->new($s)->can_read($end - time());
        my $n = sysread $s, my $in, 65536;
        return $!{ECONNRESET} if !defined $n;
        return 0 if $n == 0;
    }

    return 0;
}
