#!/usr/bin/perl

# Copyright (C) the nginx media suite authors

# Workers that are killed, one after the other: players elsewhere of a
# publisher elsewhere miss nothing; players of a publisher that died stay, and
# its encoder may come back at once, time going on; the dead worker's sessions
# leave the accounts, and in the end all memory is free again.

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use Test::Nginx;
use Test::Nginx::Player;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http stream rtmp flv_live/)
    ->has_daemon('ffmpeg');

$t->write_file_expand('nginx.conf', <<'EOF_CONF');

%%TEST_GLOBALS%%

daemon off;
worker_processes 4;

events {
}

media {
    zone 64m;
    republish_wait 5s;
    idle_timeout 1s;
}

stream {
    server {
        listen 127.0.0.1:%%PORT_1935%% reuseport;
        rtmp { }
    }
}

http {
    %%TEST_GLOBALS_HTTP%%

    server {
        listen 127.0.0.1:8080 reuseport;

        location / {
            flv_live;
        }

        location /api/ {
            media_api;
        }
    }
}

EOF_CONF

$t->run();

my $clip = clip($t, 'clip', duration => 4);
my $url = 'rtmp://127.0.0.1:' . port(1935) . '/live/';

###############################################################################

# publishers and players, at least one of each in each worker

my (%encoder, @players);

for my $n (1 .. 6) {
    $encoder{"s$n"} = encode($t, $clip, $url . "s$n");
}

for my $n (7 .. 40) {
    ok(wait_until(sub { !grep { !live($t, $_) } keys %encoder }, 20),
        'publishers are live');
    my $of = client_workers($t);
    last if spread(map { $of->{"publish/$_"} } keys %encoder) == 4;
    $encoder{"s$n"} = encode($t, $clip, $url . "s$n");
}

for my $round (1 .. 20) {
    for my $name (sort keys %encoder) {
        push @players, player('flv', $name), player('rtmp', $name);
    }

    my $of = client_workers($t);
    last if spread(map { $of->{$_->{page}} } @players) == 4;
}

ok(play_until(sub { !grep { $_->video() < 10 } @players }), 'all play');

###############################################################################

for my $victim ($t->workers()) {
    my $of = client_workers($t);
    my @dead = grep { $of->{$_->{page}} == $victim } @players;
    my @gone = grep { $of->{"publish/$_"} == $victim } sort keys %encoder;
    my %gone = map { $_ => 1 } @gone;
    my @alive = grep { $of->{$_->{page}} != $victim } @players;
    my @others = grep { !$gone{$_->{name}} } @alive;
    my @orphans = grep { $gone{$_->{name}} } @alive;

    my $what = 'worker with ' . @gone . ' publishers and ' . @dead
        . ' players';

    ok($t->kill_worker($victim), "$what is killed");
    ok(play_until(sub { !grep { !$_->{closed} } @dead }, 10),
        'its players are gone');
    ok(wait_until(sub {
        !grep { $_ == $victim } values %{client_workers($t)};
    }, 10), 'and gone from the accounts');

    # what has gone comes back

    $t->stop_daemon($encoder{$_}, 'KILL') for @gone;

    my %mark = map { $_->{n} => $_->mark() } @orphans;
    my %had = map { $_->{n} => $_->video() } @alive;

    $encoder{$_} = encode($t, $clip, $url . $_) for @gone;
    ok(play_until(sub { !grep { $_->video() < $had{$_->{n}} + 30 } @alive }),
        'the others play, those of its publishers too');

    for my $p (@others) {
        my $name = "player $p->{n}";
        my $fault = $p->{closed} ? 'closed' : $p->faults($clip,
            from => $p->{from}, again => $p->{from}) || '';
        is($fault, '', "$name missed nothing");
    }

    for my $p (@orphans) {
        my $name = "player $p->{n} of a publisher that died";
        is($p->faults($clip, from => $mark{$p->{n}}, again => 1)
            || ($p->{closed} ? 'closed' : ''), '',
            "$name stays, and sees it come back");

        my @ms = map { $_->{ms} } grep { $_->{type} == 9 && $_->{frame} }
            $p->tags();
        my @back = grep { $ms[$_] <= $ms[$_ - 1] } 1 .. $#ms;
        is("@ms[@back]", '', "$name: time goes on");
        $p->{from} = $mark{$p->{n}};
    }

    # new players in place of those that died

    $_->drop() for @dead;
    @players = (@alive, map { player($_->{rtmp} ? 'rtmp' : 'flv',
        $_->{name}) } @dead);
    ok(play_until(sub { !grep { $_->video() < 10 } @players }),
        'and new ones play');
}

###############################################################################

# the accounts at the end

my $arena = arena($t);

is($arena->{clients}, @players + keys %encoder, 'clients are counted');
is($arena->{workers}, 4, 'workers too');

players_drop();
$t->stop_daemons();

ok(wait_until(sub {
    my $a = arena($t);
    return !$a->{clients} && !$a->{sources} && !$a->{used};
}, 20), 'all memory is free again');

$arena = arena($t);
is($arena->{free}, $arena->{size}, 'to the last byte');

done_testing();

###############################################################################

sub spread {
    my %seen = map { ($_ // 'none') => 1 } @_;
    return scalar keys %seen;
}

sub player {
    my ($kind, $name) = @_;

    return $kind eq 'flv'
        ? Test::Nginx::Player->flv("/live/$name.flv", name => $name)
        : Test::Nginx::Player->rtmp('live', $name, name => $name);
}

###############################################################################
