#!/usr/bin/perl

# Copyright (C) the nginx media suite authors

# Rules of access beside hooks, which take their time: who is refused by a rule
# raises no hook, a key (publish_name) is told to nobody, and limits hold while
# a back end thinks, also where it says no or the client does not wait.

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use Test::Nginx;
use Test::Nginx::Access;
use Test::Nginx::Hook;
use Test::RTMP;

use IO::Select;
use Time::HiRes qw/ sleep time /;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/ http stream rtmp flv_live hls /);

$t->write_file_expand('nginx.conf', <<'EOF_CONF');

%%TEST_GLOBALS%%

daemon off;

worker_processes 4;

events {
}

media {
    zone 64m;
    idle_timeout 10s;
    republish_wait 1s;
    publish_timeout 60s 60s;
    hls on;
    hls_fragment 1s;
    hls_window 3s;

    on_connect http://127.0.0.1:8085/connect;
    on_close http://127.0.0.1:8085/close;
    on_publish http://127.0.0.1:8085/publish;
    on_unpublish http://127.0.0.1:8085/unpublish;
    on_play http://127.0.0.1:8085/play;
    on_stop http://127.0.0.1:8085/stop;

    application keyed {
        publish_name KEEPOUT-key news;
        deny all 127.0.0.9;
    }

    application few {
        max_players 5;
        on_play http://127.0.0.1:8085/slow;
        hook_timeout 10s;
    }
}

stream {
    server {
        listen 127.0.0.1:%%PORT_1935%%;
        rtmp { }
    }
}

http {
    %%TEST_GLOBALS_HTTP%%

    server {
        listen 127.0.0.1:8080 reuseport;

        location / { flv_live; hls; }
        location /push/ { flv_live_push on; }
        location /api/ { media_api; }
        location /metrics { media_metrics; }
        location /events { media_events; }
    }
}

EOF_CONF

my $hook = Test::Nginx::Hook->new($t, port(8085));

$t->run();

###############################################################################

my $events = http_player('/events');

# what is refused raises no hook

is(rtmp_publish('keyed', 'KEEPOUT-key', from => '127.0.0.9'), 'Publish.Denied',
    'an address');
is(rtmp_publish('keyed', 'news'), 'Publish.Denied', 'a name');
is(rtmp_play('keyed', 'KEEPOUT-key'), 'Play.StreamNotFound', 'a key');
is(http_push('/push/keyed/news.flv'), 403, 'a name that is pushed');
is(http_play('/keyed/news.flv', from => '127.0.0.9'), 403, 'a player');
is(scalar $hook->requests(), 0, 'no hook');

# a key becomes a name before anybody is told

my ($code, $pub) = rtmp_publish('keyed', 'KEEPOUT-key', props => {
    tcUrl => 'rtmp://127.0.0.1/keyed/KEEPOUT-key' });
is($code, 'Publish.Start', 'published');
is(http_push('/push/keyed/KEEPOUT-key.flv'), 409, 'and no second time');

my $player = http_player('/keyed/news.flv');
ok($player, 'played');

ok(wait_until(sub { $hook->requests('/play') == 1 }, 5), 'hooks are told');
is(($hook->requests('/publish'))[0]{json}{stream}, 'news', 'of the name');
is(($hook->requests('/connect'))[0]{json}{stream}, 'news', 'from the start');

is(hidden(http_get('/metrics'), 'KEEPOUT'), '', 'metrics');
is(hidden(http_get('/api/v1/clients/'), 'KEEPOUT'), '', 'clients');

$pub->close();
ok(wait_until(sub { $hook->requests('/unpublish') >= 1 }, 5), 'and of its end');

is(hidden(join(' ', map { "$_->{uri} $_->{body}" } $hook->requests()),
    'KEEPOUT'), '', 'never of the key');

my $told = '';

while (IO::Select->new($events)->can_read(0.5)) {
    last unless sysread $events, $told, 65536, length $told;
}

like($told, qr/news/, 'events tell the name');
is(hidden($told, 'KEEPOUT'), '', 'and not the key');

# limits while a back end thinks

($code, my $few) = rtmp_publish('few', 'x', from => '127.0.0.99');
is($code, 'Publish.Start', 'a stream');

$hook->answer('/slow', status => 200, body => '0', delay => 1);

my @all = map { ask('/few/x.flv') } 1 .. 30;
is(count(\@all), 5, 'so many of 30, over a slow back end');
cmp_ok(scalar $hook->requests('/slow'), '==', 5, 'which is asked for these');
is(playing(), 5, 'the API shows them');

close $_->{socket} for @all;
ok(wait_until(sub { playing() == 0 }, 10), 'they leave');

# who is refused by it counts no more

$hook->answer('/slow', status => 200, body => '1', delay => 0.2);

my @no = map { ask('/few/x.flv') } 1 .. 20;
is(count(\@no), 0, 'all are refused');

# nor who does not wait

$hook->answer('/slow', status => 200, body => '0', delay => 3);

my @gone = map { ask('/few/x.flv') } 1 .. 5;
sleep(0.5);
close $_->{socket} for @gone;
sleep(0.5);

$hook->answer('/slow', status => 200, body => '0');
sleep(3);

@all = map { ask('/few/x.flv') } 1 .. 10;
is(count(\@all), 5, 'there is room for as many as before');

# viewers of HLS, who are counted when they get their session

close $_->{socket} for @all;
ok(wait_until(sub { playing() == 0 }, 10), 'they leave');

feed($few, 1300);
feed($few, 2600);
ok(wait_until(sub { http_play('/few/x.m3u8') == 200 }, 10), 'a viewer');

$hook->answer('/slow', status => 200, body => '0', delay => 1);

my @viewers = map { ask('/few/x.m3u8') } 1 .. 20;
is(count(\@viewers), 4, 'as many viewers as there is room for');

###############################################################################

is(hidden(join("\n", grep { !/\[debug\]/ } split /\n/,
    $t->read_file('error.log')) =~ s/GET \/\S*//gr, 'KEEPOUT'), '',
    'nor in the log');

done_testing();

###############################################################################

sub ask {
    my ($path) = @_;

    my $s = IO::Socket::INET->new(PeerAddr => '127.0.0.1:' . port(8080))
        or die $!;
    print $s "GET $path HTTP/1.0\r\nHost: localhost\r\n\r\n";

    return { socket => $s, head => '' };
}

sub count {
    my ($list) = @_;

    my $end = time() + 20;

    for my $p (@$list) {
        while ($p->{head} !~ /\r\n/ && time() < $end) {
            last unless IO::Select->new($p->{socket})->can_read(15);
            last unless sysread $p->{socket}, $p->{head}, 4096,
                length $p->{head};
        }
    }

    return scalar grep { $_->{head} =~ m!^HTTP/1\.\d 200 ! } @$list;
}

sub playing {
    my $all = $t->api_get('/api/v1/clients/?count=1000')->{clients};
    return scalar grep { !$_->{publish} && $_->{stream}
        && $_->{url} eq '/few/x' } @$all;
}
