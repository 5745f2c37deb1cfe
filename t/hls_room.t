#!/usr/bin/perl

# Copyright (C) the nginx media suite authors

# "hls on" where the media zone has no room when the publisher comes: it is
# packed as soon as there is some, though nobody asks for it.

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use Test::Nginx;
use Test::Nginx::HLS;

use Time::HiRes qw/ sleep time /;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http stream rtmp hls/)
    ->has_daemon('ffmpeg');

$t->write_file_expand('nginx.conf', <<'END_OF_CONF');
%%TEST_GLOBALS%%
daemon off;
worker_processes %%WORKERS%%;
events { }

media {
    zone 8m;
    republish_wait 1s;
    idle_timeout 1s;
    queue_length 1s;
    hls_fragment 1s;
    hls_window 5m;
    hls on;
}

stream {
    server { listen 127.0.0.1:8035; rtmp { } }
}

http {
    %%TEST_GLOBALS_HTTP%%

    server {
        listen 127.0.0.1:8080;
        location / { hls; }
        location /api/ { media_api; }
    }
}
END_OF_CONF

$t->run();

my $rtmp = 'rtmp://127.0.0.1:' . port(8035);
my @fat = qw/ -c:v libx264 -preset ultrafast -tune zerolatency -pix_fmt yuv420p
    -b:v 6M -minrate 6M -maxrate 6M -bufsize 1M -g 25 -x264-params nal-hrd=cbr
    -c:a aac /;

# half of the zone is what packed streams may have

my $fat = $t->publish("$rtmp/live/fat", codecs => \@fat);

ok(wait_until(sub { (hls('fat') || {})->{bytes} // 0 > 0 }, 20), 'packed');

my ($before, $same) = (0, 0);

ok(wait_until(sub {
    my $bytes = hls('fat')->{bytes};
    $same = $bytes <= $before ? $same + 1 : 0;
    $before = $bytes if $bytes > $before;
    sleep 0.5;
    return $same >= 6;
}, 40), 'until there is no more room');

note("$before bytes");

my @thin = map { $t->publish("$rtmp/live/$_", size => '64x36') } 1 .. 10;

my %packed;

ok(wait_until(sub {
    defined hls($_) && hls($_)->{segments} && $packed{$_}++ for 1 .. 10;
    return keys %packed == 10;
}, 40), 'all are packed in the end') or diag(join ' ', sort keys %packed);

cmp_ok(scalar(() = $t->read_file('error.log') =~ /no room in the media zone for the HLS/g),
    '<=', 4, 'a line in the log at most, of each worker');
note($t->read_file('error.log') =~ /(no room in the media zone for the HLS.*)/
    ? $1 : 'there was always room');

$t->stop_daemons();

done_testing();

###############################################################################

sub hls {
    my ($name) = @_;
    my ($s) = grep { $_->{name} eq $name }
        @{($t->api_get('/api/v1/streams/?count=100') || {})->{streams}};
    return ($s || {})->{hls};
}
