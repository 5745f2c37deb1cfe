#!/usr/bin/perl

# Copyright (C) the nginx media suite authors

# The life of a source: a publisher that comes back to its players, one that
# does not, two that want the same name, one that is silent, one that changes
# its codec; where players begin, with the GOP cache and without.

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use Test::Nginx;
use Test::Nginx::Player;
use Test::RTMP;

use Time::HiRes qw/ sleep time /;

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
    idle_timeout 1s;
    republish_wait 20s;

    application short {
        republish_wait 1s;
    }

    application late {
        republish_wait 1s;
        idle_timeout 20s;
    }

    application replace {
        publish_conflict replace;
    }

    application silent {
        publish_timeout 1s 2s;
        republish_wait 1s;
    }

    application nogop {
        gop_cache off;
    }
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

my $clip = clip($t, 'clip', duration => 4, gop => 50);
my $other = clip($t, 'other', duration => 4, size => '256x144');
my $url = 'rtmp://127.0.0.1:' . port(1935) . '/';

my %encoder = map { $_ => encode($t, $clip, "$url$_/$_") }
    qw/ live short late replace reject nogop /;

ok(wait_until(sub { !grep { !live($t, $_) } keys %encoder }, 20), 'live');

###############################################################################

# those that are silent, first, as it takes some time

my $mute = Test::RTMP->new(port(1935))->connect('silent');
ok($mute->publish('mute'), 'one that never sends');

my $stops = Test::RTMP->new(port(1935))->connect('silent');
ok($stops->publish('stops'), 'one that stops sending');
$stops->video(0, Test::RTMP::avc_config());
$stops->video($_ * 40, $_ ? Test::RTMP::avc_inter($_)
    : Test::RTMP::avc_key($_)) for 0 .. 10;

###############################################################################

# where players begin

my %ref = map { $_ => player('flv', $_) } qw/ live nogop /;

for my $app (qw/ live nogop /) {
    for my $kind (qw/ flv rtmp /) {
        my ($p, $key);

        for my $try (1 .. 5) {

            # in the midst of a GOP

            play_until(sub {
                my @tags = grep { $_->{kind} =~ /key|inter/ }
                    $ref{$app}->tags();
                ($key) = grep { $tags[$_]{kind} eq 'key' }
                    reverse 0 .. $#tags;
                my $n = defined $key ? $#tags - $key : 0;
                $key = $tags[$key]{ms} if defined $key;
                return $n > 10 && $n < 30;
            });

            $p->drop() if $p;
            $p = player($kind, $app);
            play_until(sub { $p->video() > 5 });

            last if $app eq 'nogop' || first_video($p)->{ms} == $key;
        }

        my $first = first_video($p);

        is($first->{kind}, 'key', "$app, $kind: a keyframe first");
        like($p->kinds(), qr/^(script )+(avc aac|aac avc) (audio )*key/,
            "$app, $kind: sequence headers before it");

        if ($app eq 'live') {
            is($first->{ms}, $key, "$kind: from the GOP cache");

        } else {
            cmp_ok($first->{ms}, '>', $key, "$kind: the next keyframe");
        }

        is($p->faults($clip), '', "$app, $kind: nothing is missing");
        $p->drop();
    }
}

$_->drop() for values %ref;

###############################################################################

# it comes back: killed, ended in good order, and with another picture

my @players = map { (player('flv', 'live'), player('rtmp', 'live')) } 1 .. 3;

ok(play_until(sub { !grep { $_->video() < 10 } @players }), 'they play');

for my $case ([ 'KILL', $clip ], [ 'TERM', $clip ], [ 'TERM', $other ]) {
    my ($signal, $next) = @$case;

    $t->stop_daemon($encoder{live}, $signal);
    ok(wait_until(sub { !live($t, 'live') }), "ended by $signal");

    # what is on its way: up to the same frame, and nothing after it

    my $size = -1;

    play_until(sub {
        my %last = map { ("$_->{type} $_->{ms}" => 1) }
            map { ($_->tags())[-1] } @players;
        my $was = $size;

        $size = 0;
        $size += $_->{bytes} for @players;
        sleep 0.1;

        return keys %last == 1 && $size == $was;
    });

    my %mark = map { $_->{n} => $_->mark() } @players;

    $encoder{live} = encode($t, $next, $url . 'live/live');

    ok(play_until(sub { !grep { $_->video($mark{$_->{n}}) < 60 } @players }),
        'it comes back');

    for my $p (@players) {
        my $name = "player $p->{n}";
        my @tags = $p->tags();
        my $mark = $mark{$p->{n}};
        my ($key) = grep { $_->{type} == 9 && $_->{frame} }
            @tags[$mark .. $#tags];

        ok(!$p->{closed}, "$name stays");
        is($p->faults($next, from => $mark), '', "$name missed nothing");
        is($key->{kind}, 'key', "$name goes on at a keyframe");
        is(late($p), '', "$name: time goes on");
        is(codec_before($p, $mark), '', "$name: sequence header before it");
    }
}

$_->drop() for @players;

###############################################################################

# two that want the same name

my %had;
my $p = player('flv', 'reject');
my $second = encode($t, $clip, $url . 'reject/reject');

ok(defined $t->wait_daemon($second, 20), 'the second publisher is rejected');
ok($t->daemon_alive($encoder{reject}), 'the first one goes on');
ok(play_until(sub { $p->video() > 20 }), 'and plays');
is($p->faults($clip), '', 'nothing is missing');

@players = (player('flv', 'replace'), player('rtmp', 'replace'));
ok(play_until(sub { !grep { $_->video() < 10 } @players }), 'they play');

$second = encode($t, $clip, $url . 'replace/replace');

ok(defined $t->wait_daemon($encoder{replace}, 20), 'the first is replaced');

%had = map { $_->{n} => $_->video() } @players;
ok(play_until(sub { !grep { $_->video() < $had{$_->{n}} + 60 } @players }),
    'players see the second');
ok($t->daemon_alive($second), 'which stays');

for my $p (@players) {
    is($p->faults($clip, jumps => 1), '', "player $p->{n} goes on");
    is(late($p), '', "player $p->{n}: time goes on");
}

$_->drop() for $p, @players;

###############################################################################

# silence

ok($mute->closed(20), 'one that never sends is cut');
ok($stops->closed(20), 'one that stops sending too');
is(live($t, 'stops'), undef, 'it is no longer live');
like($t->read_file('error.log'), qr/publisher was silent for 1000 ms/,
    'the first time');
like($t->read_file('error.log'), qr/publisher was silent for 2000 ms/,
    'the other time');

###############################################################################

# it does not come back

my %end = map { $_ => player('flv', $_) } qw/ short late /;
my %stay = map { $_ => player('rtmp', $_) } qw/ short late /;

@players = (values %end, values %stay);
ok(play_until(sub { !grep { $_->video() < 10 } @players }), 'they play');
$t->stop_daemon($encoder{$_}) for qw/ short late /;

ok(play_until(sub { !grep { !$_->{closed} } values %end }),
    'HTTP-FLV ends after republish_wait');
ok(play_until(sub {
    2 == grep { "@{$_->{said} || []}" =~ /UnpublishNotify/ } values %stay;
}), 'RTMP is told');
is($_->faults($clip), '', "player $_->{n} missed nothing") for @players;

# RTMP players stay for idle_timeout

my $mark = $stay{late}->mark();

$encoder{late} = encode($t, $clip, $url . 'late/late');
ok(play_until(sub { $stay{late}->video($mark) > 20 }),
    'RTMP plays on when it comes back even later');
is($stay{late}->faults($clip, from => $mark), '', 'and misses nothing');
is(late($stay{late}), '', 'time goes on');

ok(play_until(sub { $stay{short}->{closed}
    || "@{$stay{short}->{said}}" =~ /StreamNotFound/ }),
    'and is let go after idle_timeout');

# a player of nothing

$p = Test::Nginx::Player->rtmp('short', 'nothing');
ok(play_until(sub { $p->{closed}
    || "@{$p->{said} || []}" =~ /StreamNotFound/ }),
    'a player of nothing waits for idle_timeout');

players_drop();

###############################################################################

# another picture within one publish

my $pub = Test::RTMP->new(port(1935), chunk => 60000)->connect('short');
ok($pub->publish('change'), 'a publisher');

my $ms = 0;

@players = ();

for my $part ($clip, $other, $clip) {
    my %before = map { $_->{n} => $_->video() } @players;

    send_clip($pub, $part, $ms);
    $ms += 4000;

    @players = (player('flv', 'short', 'change'),
        player('rtmp', 'short', 'change')) unless @players;

    # all of it, or the GOP cache

    ok(play_until(sub {
        !grep { $_->video() < (exists $before{$_->{n}}
            ? $before{$_->{n}} + 100 : 50) } @players;
    }), "played up to $ms ms");
}

for my $p (@players) {
    my @heads = grep { $_->{kind} eq 'avc' } $p->tags();
    my %seen = map { $_->{digest} => 1 } @heads;

    is(scalar keys %seen, 2, "player $p->{n}: two codec configurations");

    my (@parts, $head);

    for my $tag ($p->tags()) {
        $head = $tag->{digest} if $tag->{kind} eq 'avc';
        next unless $tag->{type} == 9 && $tag->{frame};
        my $of = exists $clip->{9}{$tag->{digest}} ? 'clip'
            : exists $other->{9}{$tag->{digest}} ? 'other' : 'none';
        push @parts, "$of $tag->{kind} " . unpack('H8', $head)
            if !@parts || $parts[-1] !~ /^$of /;
    }

    my ($a, $b) = map { unpack 'H8', $_->{digest} } @heads[0, 1];
    ($b) = grep { $_ ne $a } map { unpack 'H8', $_ } keys %seen;
    is(join(', ', @parts), "clip key $a, other key $b, clip key $a",
        "player $p->{n}: each before its keyframe");
    is(late($p), '', "player $p->{n}: time goes on");
}

$pub->close();
players_drop();

###############################################################################

# nothing is left of those that nobody waits for: live, late, replace, reject
# and nogop may still come back

$t->stop_daemons();
ok(wait_until(sub { arena($t)->{clients} == 0 }, 10), 'all have gone');
ok(wait_until(sub { arena($t)->{sources} <= 5 }, 10),
    'sources are freed after idle_timeout');

done_testing();

###############################################################################

sub player {
    my ($kind, $app, $name) = @_;

    $name ||= $app;

    return $kind eq 'flv' ? Test::Nginx::Player->flv("/$app/$name.flv")
        : Test::Nginx::Player->rtmp($app, $name);
}

sub first_video {
    my ($p) = @_;
    return (grep { $_->{type} == 9 && $_->{frame} } $p->tags())[0]
        || { kind => 'none', ms => -1 };
}

# Times that are not later than the one before, per track.

sub late {
    my ($p) = @_;

    my (%last, @late);

    for my $tag (grep { $_->{frame} } $p->tags()) {
        my $type = $tag->{type};
        push @late, "$type: $tag->{ms} after $last{$type}"
            if defined $last{$type} && ($tag->{ms} < $last{$type}
                || $type == 9 && $tag->{ms} == $last{$type});
        $last{$type} = $tag->{ms};
    }

    return join ', ', @late;
}

# Whether the sequence header came anew before the first picture since mark,
# where it is another one.

sub codec_before {
    my ($p, $mark) = @_;

    my @tags = $p->tags();
    my ($was) = map { $_->{digest} } grep { $_->{kind} eq 'avc' }
        reverse @tags[0 .. $mark - 1];
    my ($now) = map { $_->{digest} } grep { $_->{kind} eq 'avc' }
        reverse @tags;
    my ($first) = grep { $_->{kind} =~ /^(avc|key|inter)$/ }
        @tags[$mark .. $#tags];

    return $was eq $now || $first->{kind} eq 'avc' ? ''
        : "a $first->{kind} comes first";
}

# Sends a whole clip as it is, faster than in real time.

sub send_clip {
    my ($pub, $clip, $begin) = @_;

    open my $fh, '<:raw', $clip->{file} or die;
    my $flv = do { local $/; <$fh> };
    my $pos = 13;

    while ($pos + 15 <= length $flv) {
        my ($type, $b, $ts) = unpack 'CB24B24', substr $flv, $pos, 11;
        my $size = oct "0b$b";
        my $body = substr $flv, $pos + 11, $size;
        my $ms = $begin + oct "0b$ts";

        $pos += 15 + $size;
        next if $type == 9 && ord(substr $body, 1) == 2;

        $pub->video($ms, $body) if $type == 9;
        $pub->audio($ms, $body) if $type == 8;
    }
}

###############################################################################
