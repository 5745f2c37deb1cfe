#!/usr/bin/perl

# Copyright (C) the nginx media suite authors

# Publisher and players on different workers, every pair of them, RTMP and
# HTTP-FLV: each player gets every frame, and all of them at the same time of
# the stream.  The API tells which worker serves whom.

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

# reuseport spreads connections over the workers

$t->write_file_expand('nginx.conf', <<'EOF_CONF');

%%TEST_GLOBALS%%

daemon off;
worker_processes 4;

events {
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

my @workers = $t->workers();
my $clip = clip($t, 'clip', duration => 4);

is(scalar @workers, 4, 'workers');

###############################################################################

# a publisher in each worker

my (%stream, $n);

for my $round (1 .. 10) {
    my %new = map {
        my $name = 's' . ++$n;
        ($name => encode($t, $clip, 'rtmp://127.0.0.1:' . port(1935)
            . "/live/$name"));
    } 1 .. 8 - 2 * keys %stream;

    wait_until { !grep { !live($t, $_) } keys %new } 20;

    my $of = client_workers($t);

    for my $name (sort keys %new) {
        my $worker = $of->{"publish/$name"};

        if ($worker && !$stream{$worker}) {
            $stream{$worker} = $name;

        } else {
            $t->stop_daemon($new{$name}, 'KILL');
        }
    }

    last if keys %stream == 4;
}

is(join(' ', sort { $a <=> $b } keys %stream), "@workers",
    'a publisher in each worker');

# players in each worker, for each of them

my (%seen, %tried);

for my $publisher (sort keys %stream) {
    for my $kind (qw/ flv rtmp /) {

        for my $round (1 .. 30) {
            my @new = map { player($kind, $stream{$publisher}) } 1 .. 4;

            play_until { !grep { !$_->mark() && !$_->{closed} } @new } 10;

            my $of = client_workers($t);

            for my $p (@new) {
                my $worker = $of->{$p->{page}} // 'none';
                $tried{$worker}++;

                if (!$seen{$kind}{$publisher}{$worker}) {
                    $seen{$kind}{$publisher}{$worker} = $p;

                } else {
                    $p->drop();
                }
            }

            last if keys %{$seen{$kind}{$publisher}} == 4;
        }

        is(join(' ', sort keys %{$seen{$kind}{$publisher}}),
            join(' ', sort @workers),
            "$kind: players of $stream{$publisher} in each worker");
    }
}

my @all = map { values %$_ } map { values %$_ } values %seen;

ok(play_until(sub { !grep { $_->video() < 150 } @all }, 30), 'all play');

for my $publisher (sort keys %stream) {
    my $reference;

    for my $kind (qw/ flv rtmp /) {
        for my $worker (sort keys %{$seen{$kind}{$publisher}}) {
            my $p = $seen{$kind}{$publisher}{$worker};
            my $name = "$kind: from worker $publisher to $worker";

            ok(!$p->{closed}, "$name: stays");
            is($p->faults($clip), '', "$name: every frame");

            $reference ||= $p;
            is($p->differs($reference), '', "$name: at its time");
        }
    }
}

###############################################################################

# nobody is left behind in the accounts

players_drop();
ok(wait_until(sub { arena($t)->{clients} == 4 }, 10), 'players leave');

$t->stop_daemons();
ok(wait_until(sub { arena($t)->{clients} == 0 }, 10), 'publishers leave');

done_testing();

###############################################################################

sub player {
    my ($kind, $stream) = @_;

    return $kind eq 'flv' ? Test::Nginx::Player->flv("/live/$stream.flv")
        : Test::Nginx::Player->rtmp('live', $stream);
}

###############################################################################
