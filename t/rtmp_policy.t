#!/usr/bin/perl

# Copyright (C) the nginx media suite authors

# RTMP and the policy of media { }: virtual hosts and the forms of a URL, how
# clients are named in the API, publishers that compete, fall silent and come
# back.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use Test::Nginx;
use Test::RTMP qw/ num /;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/ http stream rtmp /);

$t->write_file_expand('nginx.conf', <<'EOF');

%%TEST_GLOBALS%%

daemon off;
worker_processes %%WORKERS%%;

events {
}

media {
    time_jitter off;

    application replace { publish_conflict replace; }
    application silent  { publish_timeout 1s 1s; }
    application back    { republish_wait 5s; time_jitter full; }

    vhost show.example.com { }
}

stream {
    %%TEST_GLOBALS_STREAM%%

    log_format names '$media_vhost $media_app $media_stream [$media_args]';

    server {
        listen      127.0.0.1:%%PORT_1935%%;
        access_log  %%TESTDIR%%/names.log names;
        rtmp { }
    }
}

http {
    %%TEST_GLOBALS_HTTP%%

    server {
        listen 127.0.0.1:8080;
        location / { media_api; }
    }
}

EOF

$t->run();

my $port = port(1935);

###############################################################################

# URLs: tcUrl, app, name and what becomes of them

my $list = <<'END';
rtmp://127.0.0.1/live live one                      | __defaultVhost__ live one []
rtmp://show.example.com/live live two               | show.example.com live two []
rtmp://other.example.com/live live three            | __defaultVhost__ live three []
rtmp://127.0.0.1/live?vhost=show.example.com live?vhost=show.example.com v | show.example.com live v [vhost=show.example.com]
rtmp://127.0.0.1/live live w?vhost=show.example.com | show.example.com live w [vhost=show.example.com]
rtmp://127.0.0.1/live...vhost...show.example.com live...vhost...show.example.com x | show.example.com live x [vhost=show.example.com]
rtmp://127.0.0.1/live?token=a live?token=a y        | __defaultVhost__ live y [token=a]
rtmp://127.0.0.1/live live z?token=b&k=v            | __defaultVhost__ live z [token=b&k=v]
rtmp://127.0.0.1/live/_definst_ live/_definst_ d    | __defaultVhost__ live d []
rtmp://127.0.0.1/a/b/c a/b/c m                      | __defaultVhost__ a/b/c m []
END

for my $line (split /\n/, $list) {
    my ($in, $out) = split /\s*\|\s*/, $line;
    my ($url, $app, $name) = split / /, $in;

    my $c = Test::RTMP->new($port)->connect($app, tcUrl => $url);
    my $m = $c->publish($name);
    $c->close();

    wait_until(sub { names() =~ /^\Q$out\E$/m }, 5);
    like(names(), qr/^\Q$out\E$/m, "$url $name");
}

# how they publish

my %styles = (
    'fmle-publish' => sub {
        my ($c) = @_;
        $c->publish('style', fmle => 1);
    },
    'haivision-publish' => sub {
        my ($c) = @_;
        $c->create_stream();
        $c->call('FCPublish', undef, 'style');
        $c->publish('style', again => 1);
    },
    'flash-publish' => sub {
        my ($c) = @_;
        $c->publish('style');
    },
);

for my $style (sort keys %styles) {
    my $c = client('live');
    $styles{$style}->($c);

    my @types = map { $_->{type} } grep { $_->{publish} }
        @{$t->api_get('/api/v1/clients/')->{clients}};
    is("@types", $style, $style);

    $c->close();
    wait_until(sub { !grep { $_->{publish} }
        @{$t->api_get('/api/v1/clients/')->{clients}} }, 5);
}

# one that takes over

my $old = client('replace');
$old->publish('s');
my $v = client('replace');
$v->play('s');
my $new = client('replace');
ok($new->publish('s'), 'replace, new publisher');
my $m = $old->status('NetStream.Publish.BadName');
ok($m, 'replace, old publisher is told');
ok($old->closed(5), 'replace, old publisher is closed');
$new->video(0, Test::RTMP::avc_config());
$new->video(40, Test::RTMP::avc_key(7));
$v->read_video();
$m = $v->read_video();
is($m && Test::RTMP::number($m), 7, 'replace, player goes on');
$_->close() for $new, $v;

# one that says nothing

my $c = client('silent');
ok($c->publish('s'), 'silent, published');
ok($c->closed(5), 'silent, closed before a frame');
$c = client('silent');
$c->publish('s');
$c->video(0, Test::RTMP::avc_config());
$c->video(40, Test::RTMP::avc_key(1));
ok($c->closed(5), 'silent, closed after a frame');

# one that comes back in time: the clock of players goes on

$c = client('back');
$c->publish('s');
$c->video(5000, Test::RTMP::avc_config());
$c->video(5000, Test::RTMP::avc_key(1));
$v = client('back');
$v->play('s');
$v->read_video();
my $first = $v->read_video();
$c->close();
ok($v->user_event(2), 'back, stream dry');

$c = client('back');
$c->publish('s');
$c->video(90000, Test::RTMP::avc_config());
$c->video(90000, Test::RTMP::avc_key(2));
$c->video(90040, Test::RTMP::avc_inter(3));

my ($second) = grep { defined Test::RTMP::number($_) }
    map { $v->read_video() || () } 1 .. 2;
is($second && Test::RTMP::number($second), 2, 'back, next picture');
my $gap = $second ? $second->{ts} - $first->{ts} : -1;
ok($gap > 0 && $gap < 5000, 'back, its time') or diag($gap);
ok(!grep({ ($_->{values}[3]{code} || '') =~ /Unpublish/ } @{$v->{seen}}),
    'back, nobody is told');
$_->close() for $c, $v;

done_testing();

###############################################################################

sub client { return Test::RTMP->new($port)->connect($_[0]) }
sub names { return $t->read_file('names.log') || '' }

###############################################################################
