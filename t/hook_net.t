#!/usr/bin/perl

# Copyright (C) the nginx media suite authors

# Hooks over a network that does what it can: back ends that are down, slow,
# broken or endless, names that nobody answers for, certificates that are not
# good.  Who asks gets a verdict in time, streams that are live never notice,
# and nothing is left.

use warnings;
use strict;

use Test::More;

use File::Basename qw/ dirname /;
use Time::HiRes qw/ time sleep /;

use lib dirname(__FILE__) . '/lib';
use Test::Nginx;
use Test::Nginx::Web;
use Test::RTMP;

###############################################################################

my $t = Test::Nginx->new()->has(qw/ http http_ssl http_v2 stream rtmp
    flv_live /)->has_daemon('openssl');
my $dir = $t->testdir();

Test::Nginx::Web::certificates($t);

my $web = Test::Nginx::Web->new($t, port(8085));

Test::Nginx::Web::dns($t, port(8953), {
    'good.test' => ['127.0.0.1'],
    'two.test' => [qw/ 127.0.0.2 127.0.0.1 /],
    'none.test' => [],
    'silent.test' => undef,
});

# application => URL, and whether it lets in

my $base = 'http://127.0.0.1:' . port(8085);
my $named = 'test:' . port(8085) . '/ok';
my %port = map { $_->[0] => port($_->[1]) } ['good', 8443], ['self', 8444],
    ['other', 8445], ['expired', 8446];

my %apps = (
    ok => ["$base/ok", 1],
    chunked => ["$base/chunked", 1],
    old => ["$base/old", 1],
    closes => ["$base/bye", 1],
    inside => ["$base/slow/300", 1],
    down => ['http://127.0.0.1:' . port(8089) . '/', 0],
    slow => ["$base/slow/30000", 0],
    never => ["$base/never", 0],
    trickle => ["$base/trickle", 0],
    garbage => ["$base/garbage", 0],
    half => ["$base/half", 0],
    close => ["$base/close", 0],
    reset => ["$base/reset", 0],
    endless => ["$base/endless", 0],
    headers => ["$base/headers", 0],
    redirect => ["$base/redirect", 0],
    error => ["$base/status/502", 0],
    name => ["http://good.$named", 1],
    names => ["http://two.$named", 1],
    unknown => ["http://none.$named", 0],
    silent => ["http://silent.$named", 0],
    tls => ["https://localhost:$port{good}/", 1],
    self => ["https://localhost:$port{self}/", 0],
    other => ["https://localhost:$port{other}/", 0],
    expired => ["https://localhost:$port{expired}/", 0],
);

my $apps = join '',
    map { "application $_ { on_publish $apps{$_}[0]; }\n" } sort keys %apps;
my $tls = join '', map {
    "server { listen 127.0.0.1:$port{$_} ssl http2; ssl_certificate $_.pem;"
        . " ssl_certificate_key $_.key; location / { return 200 0; }"
        . " error_page 405 =200 \@zero;"
        . " location \@zero { return 200 0; } }\n"
} sort keys %port;

$t->write_file_expand('nginx.conf', <<"END_OF_CONF");
%%TEST_GLOBALS%%
daemon off;
worker_processes 2;
events { worker_connections 4096; }
media {
    zone 256m;
    resolver 127.0.0.1:%%PORT_8953%% ipv6=off;
    hook_trusted_certificate trusted.pem;
    hook_timeout 1s;
    republish_wait 0s;
    idle_timeout 1s;
    publish_timeout 60s 60s;
    application open { on_unpublish $base/unpublish; }
    application wait { on_publish $base/slow/2500; hook_timeout 10s; }
    application many {
        on_publish $base/ok;
        on_unpublish $base/gone;
        hook_timeout 30s;
    }
    $apps
}
stream { server { listen 127.0.0.1:%%PORT_1935%%; rtmp { } } }
http {
    %%TEST_GLOBALS_HTTP%%
    server {
        listen 127.0.0.1:8080;
        location / { flv_live; }
        location /push/ { flv_live_push on; }
        location /api/ { media_api; }
    }
    $tls
}
END_OF_CONF

$t->run();

# a stream that is live meanwhile, and who plays it

my $live = Test::RTMP->new(port(1935))->connect('open');

ok($live->publish('live'), 'a stream');
$t->run_daemon(\&publish_on, $live);

my $player = Test::RTMP->new(port(1935))->connect('open');

ok($player->play('live'), 'a player');
ok($player->read_video(), 'that plays');

my $playing = $t->run_daemon(\&play_on, $player);

wait_until(sub { -s "$dir/gaps" });

###############################################################################

# what comes of each

for my $app (grep { $apps{$_}[1] } sort keys %apps) {
    is(publishes($app), 1, "$app: published");
}

for my $app (grep { !$apps{$_}[1] } sort keys %apps) {
    my $began = time();

    is(publishes($app), 0, "$app: denied");
    cmp_ok(time() - $began, '<', 5, "$app: in time");
}

# all of them at once, many times

my %late;

for my $round (1 .. 5) {
    $late{"$_-$round"} = ask($_, "r$round") for sort keys %apps;
}

my @wrong = grep {
    my ($app) = /^(\w+)-/;
    verdict($late{$_}) ne $apps{$app}[1];
} sort keys %late;

is("@wrong", '', 'all at once');
%late = ();

# a back end that is restarted

$web->stop();
is(publishes('ok'), 0, 'the back end is gone');
$web->start();
is(publishes('ok'), 1, 'the back end is there again');

# a thousand in a second

for my $round (1, 2) {
    my $seen = () = $web->seen();
    my $began = time();
    my @many = map {
        http_start("POST /push/many/$_.flv HTTP/1.1\r\nHost: localhost\r\n"
            . "Transfer-Encoding: chunked\r\n\r\nd\r\n"
            . "FLV\1\5\0\0\0\x09\0\0\0\0\r\n");
    } 1 .. 1000;

    my $took = time() - $began;

    is(scalar(grep { defined } @many), 1000, "a thousand came");
    note(sprintf 'in %.1f s', $took);

    ok(wait_until(sub { asked($seen, 'ok') >= 1000 }, 30), 'all are asked')
        or diag(scalar asked($seen, 'ok'));
    note(sprintf 'asked in %.1f s', time() - $began);

    ok(wait_until(sub { active('many') == 1000 }, 30), 'all publish')
        or diag(active('many'));

    my %conns = map { $_->{conn} => 1 } asked($seen, 'ok');

    cmp_ok(scalar keys %conns, '<=', 512, 'connections are used again');
    note(scalar(keys %conns), ' connections');

    close $_ for @many;

    ok(wait_until(sub { asked($seen, 'gone') >= 1000 }, 30), 'all are told')
        or diag(scalar asked($seen, 'gone'));

    ok(wait_until(sub { active('many') == 0 }, 10), 'all are gone');
}

# a reload while they wait, and the death of a worker

my @waiting = map { ask('wait', "w$_") } 1 .. 20;

sleep(0.5);
ok($t->reload(), 'reload in the middle');
is(scalar(grep { verdict($_) } @waiting), 20, 'all have their verdict');
is(publishes('ok'), 1, 'new ones as well');

$_->close() for @waiting;
@waiting = map { ask('wait', "k$_") } 1 .. 20;

sleep(0.5);

# the old worker that the stream lives in stays

my ($victim) = $t->workers();

ok($t->kill_worker($victim), 'a worker dies');

my $lucky = grep { verdict($_) } @waiting;

cmp_ok($lucky, '<=', 20, "the others have theirs: $lucky of 20");
is(publishes('ok'), 1, 'and new ones');

@waiting = ();

# nothing is left

my $status = $t->wait_daemon($playing, 0.1);

ok(!defined $status, 'the player still plays');

my ($gap, $frames) = split / /, $t->read_file('gaps');

cmp_ok($frames, '>', 100, "frames: $frames");
cmp_ok($gap, '<', 2, "the longest gap: $gap s");

ok(wait_until(sub { !connections() }, 60), 'idle connections are closed')
    or diag(connections());

unlike($t->read_file('error.log'), qr/ask=secret/, 'no arguments in the log');

done_testing();

###############################################################################

sub publish_on {
    my ($p) = @_;

    $p->video(0, Test::RTMP::avc_config());

    for my $n (1 .. 25 * 600) {
        $p->video($n * 40, $n % 25 ? Test::RTMP::avc_inter($n)
            : Test::RTMP::avc_key($n));
        $p->fill(time() + 0.04);
        $p->{in} = '';
    }
}

sub play_on {
    my ($c) = @_;

    my ($gap, $frames, $last) = (0, 0, time());

    while ($c->read_video()) {
        my $now = time();

        $gap = $now - $last if $now - $last > $gap;
        $last = $now;
        $frames++;

        $t->write_file('gaps.new', sprintf '%.3f %d', $gap, $frames);
        rename "$dir/gaps.new", "$dir/gaps";
    }
}

# asks to publish; the verdict comes later: 1 or 0

sub ask {
    my ($app, $name) = @_;

    my $c = Test::RTMP->new(port(1935))->connect($app);

    $c->create_stream();
    $c->command_on($c->{msid}, 'publish', 0, undef, "$name?ask=secret",
        'live');

    return $c;
}

sub verdict {
    my ($c) = @_;

    my $m = $c->expect(sub {
        my $v = $_[0]{values} or return 0;
        return $v->[0] eq 'onStatus';
    }, 20);

    my ($info) = $m ? grep { ref $_ eq 'HASH' } @{$m->{values}} : {};

    return ($info->{code} // '') eq 'NetStream.Publish.Start' ? 1 : 0;
}

sub publishes {
    my ($app) = @_;

    my $c = ask($app, 'x');
    my $yes = verdict($c);

    $c->close();

    return $yes;
}

sub asked {
    my ($from, $path) = @_;
    my @all = $web->seen();

    return grep { $_->{path} eq "/$path" } @all[$from .. $#all];
}

sub active {
    my ($app) = @_;

    return scalar grep { $_->{app} eq $app && $_->{publish}{active} }
        @{$t->api_get('/api/v1/streams/?count=2000')->{streams}};
}

# from nginx to the back end, open at nginx's side

sub connections {
    open my $fh, '<', '/proc/net/tcp' or return 0;

    my $to = sprintf ':%04X', port(8085);

    return scalar grep {
        my (undef, undef, $peer, $state) = split;
        $peer =~ /$to$/ && $state =~ /^0[18]$/;
    } <$fh>;
}
