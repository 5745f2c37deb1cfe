package Test::Nginx::Torture;

# Copyright (C) the nginx media suite authors

# For tests that attack: a stream that is well, published and played in a
# process of its own meanwhile, and what must be the same before and after.
#
#     my $well = healthy($t, rtmp => 3, flv => 3);
#     ... attack ...
#     is(healthy_end($t, $well), '', 'the stream beside lost nothing');
#
# Every frame of that stream has a number, every player checks each of them.

use warnings;
use strict;

use base qw/ Exporter /;

our @EXPORT = qw/ healthy healthy_end workers_state workers_back attack
    client publisher junk discard drip drip_end newcomers record mutate /;

use IO::Select;
use IO::Socket::INET;
use List::Util qw/ max /;
use Test::More qw//;
use Time::HiRes qw/ time sleep /;

use Test::Nginx;
use Test::Nginx::Player;
use Test::RTMP;

use constant FRAME => 0.02;

my $seed = 4711;

# malloc() keeps free pieces of its heap; those of a segment's size and more are
# to be seen in the memory of a process when they are free

$ENV{MALLOC_MMAP_THRESHOLD_} //= 60000;

###############################################################################

# The name of the stream: 50 pictures and 50 sounds a second, a keyframe every
# second.  Returns when its players have begun.

sub healthy {
    my ($t, %o) = @_;

    my $dir = $t->testdir();

    unlink "$dir/well.$_" for qw/ on stop txt /;
    $t->run_daemon(\&_healthy, $dir, %o);

    wait_until(sub { -e "$dir/well.on" }, 10)
        or die "the stream that is well has not begun\n";

    return 'well';
}

# Ends it.  What it lacked, or an empty string.

sub healthy_end {
    my ($t) = @_;

    my $dir = $t->testdir();

    $t->write_file('well.stop', '');

    return 'it did not end'
        unless wait_until(sub { -s "$dir/well.txt" }, 20);

    my ($frames, $text) = split /\n/, $t->read_file('well.txt'), 2;

    Test::More::note("$frames frames of each player beside");

    return $text // '';
}

sub _healthy {
    my ($dir, %o) = @_;

    my $p = Test::RTMP->new(port(1935), chunk => 4096)->connect('live');

    $p->publish('well') or die "no publish\n";
    $p->video(0, Test::RTMP::avc_config());
    $p->audio(0, Test::RTMP::aac_config());

    my ($n, $next) = (0, time());
    my @players;

    while (!-e "$dir/well.stop" && $n < 20000) {
        $n++;
        $p->video($n * 20, $n % 50 == 1 ? Test::RTMP::avc_key($n, 3000)
            : Test::RTMP::avc_inter($n, 500));
        $p->audio($n * 20, Test::RTMP::aac_frame($n));
        $next += FRAME;

        if ($n == 1) {
            @players = ((map { Test::Nginx::Torture::Player->rtmp('live',
                'well') } 1 .. $o{rtmp} || 0),
                (map { Test::Nginx::Torture::Player->flv('/live/well.flv') }
                1 .. $o{flv} || 0));
        }

        play_until(sub { time() >= $next }, 5);
        discard($p);

        if (!-e "$dir/well.on" && !grep { !$_->{got}{9} } @players) {
            open my $fh, '>', "$dir/well.on" or die;
        }
    }

    play_until(sub { !grep { ($_->{got}{8} || 0) < $n && !$_->{closed} }
        @players }, 10);

    my @faults = map { $_->lacks($n) } @players;

    open my $fh, '>', "$dir/well.tmp" or die;
    print $fh join "\n", $n, splice @faults, 0, 5;
    close $fh;
    rename "$dir/well.tmp", "$dir/well.txt";
}

###############################################################################

# Pids, descriptors and memory of the workers, what the arena holds.

sub workers_state {
    my ($t) = @_;

    my @pids = sort $t->workers();

    return { pids => "@pids", fds => { map { $_ => _fds($_) } @pids },
        own => { map { $_ => _own($_) } @pids } };
}

# private memory, KB

sub _own {
    open my $fh, '<', "/proc/$_[0]/status" or return 0;
    local $/;
    return <$fh> =~ /RssAnon:\s+(\d+)/ ? $1 : 0;
}

sub _fds {
    my @fds = glob("/proc/$_[0]/fd/*");
    return scalar @fds;
}

# Everything is given back: '' or what is not.

sub workers_back {
    my ($t, $was) = @_;

    my @pids = sort $t->workers();
    my $arena = {};

    return "workers @pids instead of $was->{pids}"
        if "@pids" ne $was->{pids};

    return 'arena: ' . join ' ', map { "$_ $arena->{$_}" } sort keys %$arena
        unless wait_until(sub {
            $arena = arena($t);
            return exists $arena->{used} && !$arena->{used}
                && !$arena->{sources} && !$arena->{clients};
        }, 20);

    for my $pid (@pids) {
        my ($had, $has) = ($was->{fds}{$pid}, 0);
        return "worker $pid has $has descriptors, it had $had"
            unless wait_until(sub { ($has = _fds($pid)) <= $had }, 10);
    }

    my @more = map { _own($_) - $was->{own}{$_} } @pids;

    Test::More::note("workers hold @more KB more than before");

    return "a worker holds @more KB more"
        if max(@more) > 20000 && !$t->has_module('sanitizer');

    return '';
}

###############################################################################

# Runs an attack for some seconds at most.  It may die of what is done to it,
# but where it says that something is wrong.

sub attack {
    my ($name, $code) = @_;

    my $start = time();

    eval {
        local $SIG{ALRM} = sub { die "too long\n" };
        alarm 30;
        $code->();
    };

    alarm 0;

    Test::More::note(sprintf '%s: %.2f s%s', $name, time() - $start,
        $@ ? ", $@" : '');
    Test::More::unlike($@, qr/^(too long|wrong: )/, $name);
}

# A client whose writes never wait for long.

sub client {
    my ($app, %o) = @_;

    my $c = Test::RTMP->new(port(1935), timeout => 3, %o);

    setsockopt($c->{socket}, Socket::SOL_SOCKET, Socket::SO_SNDTIMEO,
        pack('l!l!', 1, 0));

    return defined $app ? $c->connect($app) : $c;
}

sub publisher {
    my ($app, $name, $size) = @_;

    my $c = client($app, chunk => 65536);

    $c->publish($name);
    $c->video(0, Test::RTMP::avc_config());
    $c->audio(0, Test::RTMP::aac_config());
    $c->video(0, Test::RTMP::avc_key(1, $size || 1000));

    return $c;
}

# Bytes of a generator that always gives the same.

sub junk {
    my ($n) = @_;

    return join '', map {
        $seed = ($seed * 1103515245 + 12345) & 0x7fffffff;
        chr($seed >> 16 & 0xff);
    } 1 .. $n;
}

# Reads what there is and forgets it.

sub discard {
    for my $c (@_) {
        1 while $c->fill(time() + 0.0005);
        $c->{in} = '';
    }
}

###############################################################################

# Connections of a process of its own that say this text, a byte in a second,
# until the last of them is cut, for some seconds at most.

sub drip {
    my ($t, $port, $count, $text) = @_;

    my $file = $t->testdir() . "/drip-$port";

    unlink "$file.on", "$file.txt";
    $t->run_daemon(\&_drip, $file, $port, $count, $text);

    wait_until(sub { -e "$file.on" }, 10) or die "no drip\n";
}

# How many were cut, and after how many seconds the last one was.

sub drip_end {
    my ($t, $port) = @_;

    my $file = $t->testdir() . "/drip-$port.txt";

    return (0, 0) unless wait_until(sub { -s $file }, 40);

    open my $fh, '<', $file or return (0, 0);

    return split ' ', scalar <$fh>;
}

sub _drip {
    my ($file, $port, $count, $text) = @_;

    my $begin = time();
    my @s = map { IO::Socket::INET->new(PeerAddr => '127.0.0.1',
        PeerPort => port($port), Timeout => 5) or die "can't connect: $!\n" }
        1 .. $count;

    $_->blocking(0) for @s;

    local $SIG{PIPE} = 'IGNORE';

    open my $fh, '>', "$file.on" or die;

    my ($tick, $last) = (0, $begin);

    while (@s && time() < $begin + 30) {
        my ($byte, $part) = (int($tick / 20), $tick % 20);
        my @left;

        for my $i (0 .. $#s) {
            my $s = $s[$i];

            syswrite $s, substr $text, $byte % length $text, 1
                if fileno($s) % 20 == $part;

            my $n = sysread $s, my $in, 65536;

            push @left, $s if $n || !defined $n && $!{EAGAIN};
        }

        $last = time() if @left < @s;
        @s = @left;
        $tick++;
        sleep(0.05);
    }

    open $fh, '>', "$file.tmp" or die;
    printf $fh '%d %.1f', $count - @s, $last - $begin;
    close $fh;
    rename "$file.tmp", "$file.txt";
}

# Clients that come meanwhile: milliseconds from connect() to the first frame,
# the half of them that is faster and the slowest.

sub newcomers {
    my ($count, $code) = @_;

    my @ms = sort { $a <=> $b } map {
        my $begin = time();
        $code->() or die "wrong: a new client is not served\n";
        1000 * (time() - $begin);
    } 1 .. $count;

    return ($ms[@ms / 2], $ms[-1]);
}

# What a program says to a port, while the code that is given its own port
# runs.

sub record {
    my ($t, $to, $code) = @_;

    my $listen = IO::Socket::INET->new(Listen => 5, LocalAddr => '127.0.0.1')
        or die "no socket: $!\n";
    my $file = $t->testdir() . '/recorded';

    unlink $file;

    my $pid = $t->run_daemon(sub {
        my $client = $listen->accept() or die "no client\n";
        my $server = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
            PeerPort => port($to)) or die "can't connect: $!\n";
        my $both = IO::Select->new($client, $server);

        open my $fh, '>:raw', $file or die;
        $fh->autoflush(1);

        while (1) {
            for my $s ($both->can_read()) {
                sysread $s, my $in, 65536 or return;
                print $fh $in if $s == $client;
                ($s == $client ? $server : $client)->syswrite($in);
            }
        }
    });

    $code->($listen->sockport());
    $t->stop_daemon($pid);

    open my $fh, '<:raw', $file or return '';
    local $/;

    return scalar <$fh>;
}

# A copy in which bytes are changed, left out, put in and doubled; most of them
# near the beginning, from a place on.

sub mutate {
    my ($said, $from, $round) = @_;

    for (0 .. $round % 7) {
        my ($a, $b, $how) = unpack 'nnC', junk(5);
        my $at = $from + $a % ($round % 2 ? 600 : max(1, length($said)
            - $from));

        next if $at >= length $said;

        substr($said, $at, 1) = chr($b & 255) if $how % 4 == 0;
        substr($said, $at, 1 + $b % 20) = '' if $how % 4 == 1;
        substr($said, $at, 0) = junk(1 + $b % 20) if $how % 4 == 2;
        substr($said, $at, 0) = substr($said, $from + $b % 2000, $b % 300)
            // '' if $how % 4 == 3 && $from + $b % 2000 < length $said;
    }

    return $said;
}

###############################################################################

package Test::Nginx::Torture::Player;

use warnings;
use strict;

use base qw/ Test::Nginx::Player /;

sub tag {
    my ($self, $type, $ms, $body) = @_;

    my $n = Test::RTMP::number({ body => $body });

    return unless defined $n;

    my $last = $self->{got}{$type};

    push @{$self->{lost}}, "player $self->{n}: number $n of type $type"
        . " comes after $last" if defined $last && $n != $last + 1;

    $self->{got}{$type} = $n;
}

sub lacks {
    my ($self, $n) = @_;

    my @lacks = @{$self->{lost} || []};

    push @lacks, "player $self->{n} was closed" if $self->{closed};
    push @lacks, "player $self->{n} ends at $_ of $n"
        for grep { $_ != $n } map { $self->{got}{$_} || 0 } 8, 9;

    return @lacks;
}

1;
