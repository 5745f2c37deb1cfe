#!/usr/bin/perl

# Copyright (C) the nginx media suite authors

# What is published is sent to others over SRT: to those of the configuration
# and to those that a back end names.  A target that is not there, one that
# goes and comes back, a publisher that comes back in another worker; URLs that
# can not be called, from the configuration and from a back end.

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use Test::Nginx;
use Test::Nginx::Player;

use Time::HiRes qw/ sleep time /;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http stream rtmp flv_live srt/)
    ->has_daemon('ffmpeg');
my $target = Test::Nginx->new();

# it is stopped while it has sessions

$target->allow_alerts(qr/open socket #\d+ left|aborting$/);

$target->write_file_expand('nginx.conf', <<'END_OF_CONF');
%%TEST_GLOBALS%%
daemon off;
worker_processes %%WORKERS%%;
events { }

media {
    republish_wait 500ms;
}

stream {
    server { listen 127.0.0.1:8136 udp reuseport; srt { } }
}

http {
    %%TEST_GLOBALS_HTTP%%

    server {
        listen 127.0.0.1:8180;
        location / { flv_live; }
        location /api/ { media_api; }
    }
}
END_OF_CONF

my $conf = <<'END_OF_CONF';
%%TEST_GLOBALS%%
daemon off;
worker_processes %%WORKERS%%;
events { }

media {
    republish_wait 3s;

    application fwd {
        forward srt://127.0.0.1:8136?streamid=#!::r=in/$media_stream,m=publish,k=hush
                srt://127.0.0.1:8138?passphrase=a-secret-of-it;
        on_forward http://127.0.0.1:8080/where;
    }
}

stream {
    server { listen 127.0.0.1:8035; rtmp { } }
}

http {
    %%TEST_GLOBALS_HTTP%%

    server {
        listen 127.0.0.1:8080;
        location /api/ { media_api; }
        location /metrics { media_metrics; }

        location /where {
            return 200 '{"code":0,"data":{"urls":[
                "srt://127.0.0.1:8136/hook/three",
                "http://127.0.0.1:8080/x", "file:///etc/passwd", "srt://",
                "srt://127.0.0.1:99999/x", "srt://127.0.0.1\\r\\n:1/x",
                "srt://127.0.0.1:8136?mode=listener",
                "srt://nobody.invalid:1/x", 7, {}, "x"]}}';
        }
    }
}
END_OF_CONF

$t->write_file_expand('nginx.conf', $conf);

# what can not be called is refused when the configuration is read

for my $bad (
    ['file:///etc/passwd', 'it has no valid host'],
    ['gopher://host:70/x', 'nobody here calls such URLs'],
    ['srt://host', 'it needs a port'],
    ['srt://:9000', 'it has no valid host'],
    ['srt://$media_app:9000', 'variables may stand only behind the host'],
    ['srt://127.0.0.1:9000/$uri', 'unknown variable'],
    ['srt://127.0.0.1:9000?mode=listener&passphrase=a-secret-of-it', 'mode'],
    ['srt://nobody.invalid:9000', 'host not found'],
) {
    my ($url, $text) = @$bad;
    my $c = $conf;

    $c =~ s{forward srt.*?;}{forward $url;}s;
    $t->write_file_expand('bad.conf', $c);

    my ($status, $said) = $t->test_config('bad.conf');

    ok($status, "$url is refused");
    like($said, qr/\Q$text\E.* in \S+bad\.conf:\d+/s, 'with what and where');
    unlike($said, qr/a-secret/, 'and nothing secret');
}

{
    my $c = $conf;
    $c =~ s{%%TEST_GLOBALS%%}{};
    $c =~ s{stream \{.*?^\}\n}{}ms;

    $t->write_file_expand('bare.conf', "load_module "
        . ($ENV{TEST_NGINX_MODULES} || "$Test::Nginx::ROOT/objs")
        . "/ngx_media_core_module.so;\n$c");

    my ($status, $said) = $t->test_config('bare.conf');

    like($said, qr/load ngx_srt_module\.so/, 'the module to load is named')
        unless $ENV{TEST_NGINX_STATIC};
}

$target->run();
$t->run();

my $clip = clip($t, 'clip', duration => 6);

# sending

my $ff = encode($t, $clip, 'rtmp://127.0.0.1:' . port(8035) . '/fwd/two');

ok(on_target(sub { $_[0]->{publish}{active} }, 'two'), 'sent to the other');
ok(on_target(sub { $_[0]->{publish}{active} }, 'three'),
    'and to where a back end says');

my $in = Test::Nginx::Player->flv('/in/two.flv', port => 8180);
ok(play_until(sub { $in->video() > 30 }, 10), 'it can be played there');
is(times_of($in), '', 'in order');

ok(wait_until(sub {
    grep { $_->{failures} > 0 && $_->{error} ne '' } relays()
}, 10), 'one of them finds nobody');

my @push = relays();

is(scalar @push, 4, 'four relays');
is(scalar(grep { $_->{way} eq 'push' && $_->{app} eq 'fwd'
    && $_->{stream} eq 'two' } @push), 4, 'what they are');
unlike(join(' ', map { $_->{url} } @push), qr/hush|a-secret/,
    'secrets are not shown');

like(http_get('/metrics'),
    qr/^nginx_media_relays\{way="push",state="connected"\} 2\r?$/m, 'metrics');

# the publisher comes back, in whatever worker: the target sees one stream

$t->stop_daemon($ff);
$ff = encode($t, $clip, 'rtmp://127.0.0.1:' . port(8035) . '/fwd/two');

my $from = $in->mark();

ok(play_until(sub { $in->video($from) > 50 }, 10) || $in->{closed},
    'the publisher comes back');
is(times_of($in), '', 'times go on at the target');
ok(wait_until(sub {
    2 == grep { $_->{state} eq 'connected' } relays()
}, 10), 'two relays are connected again');
is(scalar(relays()), 4, 'there are no more of them');

# the target goes and comes back

$in->drop();
$target->stop();
ok(wait_until(sub {
    !grep { $_->{state} eq 'connected' } relays()
}, 12), 'the target is gone');

$target->run();
ok(on_target(sub { $_[0]->{publish}{active} }, 'two', 25),
    'it is back, and sent to');

$t->stop_daemons();
ok(wait_until(sub {
    !relays() && !on_target(sub { $_[0]->{publish}{active} }, 'two', 0)
}, 15), 'it ends with the publish');

unlike($t->read_file('error.log'), qr/hush|a-secret/, 'no secrets in logs');

$t->stop();
$target->stop();

done_testing();

###############################################################################

sub relays {
    return @{$t->api_get('/api/v1/relays?count=100')->{relays} || []};
}

sub on_target {
    my ($code, $name, $timeout) = @_;

    my $look = sub {
        my $reply = http_get('/api/v1/streams/', port => 8180) // '';
        my $json = eval { JSON::PP::decode_json(http_content($reply)) } || {};
        my ($s) = grep { $_->{name} eq $name } @{$json->{streams} || []};

        return $s && $code->($s);
    };

    return $timeout || !defined $timeout ? wait_until(sub { $look->() }, $timeout // 10)
        : $look->();
}

# pictures begin with a keyframe and come later and later; '' where they do

sub times_of {
    my ($player) = @_;

    my ($last, $first);

    for my $tag (grep { $_->{type} == 9 && $_->{frame} } $player->tags()) {
        return "first is $tag->{kind}" if !$first++ && $tag->{kind} ne 'key';
        return "$tag->{ms} ms after $last" if defined $last
            && $tag->{ms} <= $last;
        $last = $tag->{ms};
    }

    return $first ? '' : 'nothing';
}
