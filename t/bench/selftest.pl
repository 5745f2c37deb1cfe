#!/usr/bin/perl

# Copyright (C) the nginx media suite authors
#
# Does the load tool see what is wrong?  The floor serves a stream with one
# kind of fault in each 100 frames; the tool has to name it, and a stream
# without faults has to pass.  objs/bench/ngx_media_load must be built.

use warnings;
use strict;

use Cwd qw(abs_path);
use File::Basename qw(dirname);
use IO::Socket::INET;
use Test::More;
use Time::HiRes qw(sleep);

my $objs = $ENV{TEST_NGINX_OBJS} || dirname(abs_path(__FILE__))
    . '/../../objs';
my $tool = "$objs/bench/ngx_media_load";

plan(skip_all => "$tool is not built") if !-x $tool;

# The fault, the key that counts it, and those that must stay zero.

my @cases = (
    [ '', '', qw(gaps dups disorder corrupt ts_back tail_missing) ],
    [ 'drop', 'gaps', qw(dups disorder corrupt ts_back) ],
    [ 'dup', 'dups', qw(gaps disorder corrupt ts_back) ],
    [ 'swap', 'disorder', qw(dups corrupt) ],
    [ 'corrupt', 'corrupt', qw(dups disorder) ],
    [ 'time', 'ts_back', qw(gaps dups disorder corrupt) ],
);

my $floor;
END { my $status = $?; kill 'KILL', $floor if $floor; $? = $status; }

for my $case (@cases) {
    for my $proto ('rtmp', 'http') {
        check($proto, @$case);
    }
}

done_testing();


sub check {
    my ($proto, $fault, $found, @zero) = @_;

    my $port = free_port();

    $floor = fork() // die "fork: $!\n";

    if ($floor == 0) {
        exec $tool, '--floor', "--$proto", $port,
            $fault ? ('--fault', $fault) : () or POSIX::_exit(127);
    }

    for (1 .. 100) {
        last if IO::Socket::INET->new(PeerAddr => '127.0.0.1',
            PeerPort => $port);
        sleep 0.05;
    }

    my @out = `timeout 30 $tool --$proto $port --publishers 0 \\
        --$proto-players 5 --duration 2.5 --settle 0.1 --drain 200 \\
        --strict --quiet`;
    my $status = $? >> 8;

    kill 'TERM', $floor;
    waitpid($floor, 0);
    undef $floor;

    my %r = map { /^(\w+)=(.*)/ ? ($1, $2) : () } @out;
    my $name = $proto . ($fault ? " $fault" : ' no fault');
    my $bad = $fault && $fault ne 'time' ? 1 : 0;

    is($status, $bad, "$name: exit status");
    cmp_ok($r{$found}, '>', 0, "$name: $found") if $found;
    is($r{$_}, 0, "$name: no $_") for @zero;
}


sub free_port {
    my $s = IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => 0,
        Listen => 1, ReuseAddr => 1) or die "no port: $!\n";

    return $s->sockport();
}
