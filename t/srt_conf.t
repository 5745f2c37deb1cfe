#!/usr/bin/perl

# Copyright (C) the nginx media suite authors

# What nginx -t says about srt { }: each fault is refused with its file and
# line and with what to write instead, and what is good is taken.

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use Test::Nginx;
use Test::Nginx::SRTPeer;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/stream srt/);

my $port = port(8080);
my $low = -r '/proc/sys/net/ipv4/ip_unprivileged_port_start'
    ? do { local (@ARGV, $/)
        = '/proc/sys/net/ipv4/ip_unprivileged_port_start'; <> } : 1024;

###############################################################################

# listeners

taken('udp reuseport', "listen $port udp reuseport; srt { }");
taken('two listeners of a server', "listen 127.0.0.1:$port udp reuseport; "
    . "listen 127.0.0.2:$port udp reuseport; srt { }");
taken('IPv6', "listen [::]:$port udp reuseport; srt { }");
taken('an address of a port beside another one',
    "listen 127.0.0.1:$port udp reuseport; srt { } } "
    . "server { listen 127.0.0.2:$port udp; return ''; ");
taken('TCP on the same port',
    "listen $port udp reuseport; srt { } } "
    . "server { listen $port; return ''; ");

my $conf = quotemeta $t->testdir() . '/nginx.conf';

refused('TCP', "listen $port; srt { }",
    qr/"srt" in $conf:\d+ needs UDP, write "udp reuseport" in the "listen" directive of \S*:$port/);
refused('TCP too', "listen $port udp reuseport; listen $port; srt { }",
    qr/"srt" in $conf:\d+ needs UDP/);
refused('no reuseport', "listen $port udp; srt { }",
    qr/"srt" in $conf:\d+ needs a socket for each worker, add "reuseport"/);
refused('a path', "listen unix:" . $t->testdir() . "/s udp reuseport; srt { }",
    qr/needs an IP address and a port in/);
refused('ssl', "listen $port ssl; srt { }", qr/"srt" in \S+ needs UDP/);
refused('ssl on udp', "listen $port udp reuseport ssl; srt { }",
    qr/"ssl" parameter is incompatible with "udp"|take "ssl" out/);
refused('proxy_protocol', "listen $port udp reuseport proxy_protocol; srt { }",
    qr/"proxy_protocol" parameter is incompatible with "udp"|take "proxy/);
refused('another one on its socket',
    "listen $port udp reuseport; srt { } } "
    . "server { listen 127.0.0.1:$port udp; return ''; ",
    qr/"srt" in $conf:\d+ listens on 0\.0\.0\.0:$port, and the server in $conf:\d+ on 127\.0\.0\.1:$port, by the same socket: give one of them another port/);
refused('another one on its address',
    "listen $port udp reuseport; srt { } } "
    . "server { listen $port udp; return ''; ",
    qr/by the same socket|duplicate "\S*$port" address and port pair/);
refused('a proxy beside it',
    "listen $port udp reuseport; srt { } proxy_pass 127.0.0.1:1;",
    qr/"srt" in $conf:\d+ stands beside another content handler, put one of them into a server of its own/);
refused('a proxy before it',
    "listen $port udp reuseport; proxy_pass 127.0.0.1:1; srt { }",
    qr/"srt" stands beside another content handler.* in $conf:\d+/);
refused('twice', "listen $port udp reuseport; srt { } srt { }",
    qr/"srt" directive is duplicate in $conf:\d+/);

SKIP: {
    skip 'not root, or ports are free for all', 1 if $> || $low < 1024;

    # the configuration test binds it too

    my ($status, $text) = check("listen 127.0.0.1:1021 udp reuseport; srt { }");
    like($text, qr/\[warn\] .*"srt" in $conf:\d+ listens on port 1021, where workers may not open/,
        'a privileged port');
}

###############################################################################

# values

options('values', <<'END');
latency 0; passphrase 0123456789; pbkeylen 24; mss 1360; maxbw -1;
tlpktdrop off; sendbuf 64k; recvbuf 512m; connect_timeout 500ms;
idle_timeout 10m; default_app a/b; default_mode publish;
END

options("maxbw $_", "maxbw $_;") for qw/ 0 16k 10m 1g /;
options('variable', 'passphrase $remote_addr;');

my $long = 'x' x 80;

for my $try (
    [ 'latency 61s', 'say a time up to 60s' ],
    [ 'latency x', 'say a time up to 60s' ],
    [ 'passphrase short', '"passphrase" has 5 characters, write one of 10 to 79' ],
    [ "passphrase $long", '"passphrase" has 80 characters' ],
    [ 'passphrase ""', '"passphrase" has 0 characters' ],
    [ 'pbkeylen 8', 'say .*0.*16.*24.*32' ],
    [ 'mss 1300', 'a number between 1360 and 9000' ],
    [ 'mss 9001', 'a number between 1360 and 9000' ],
    [ 'maxbw -2', 'write -1 \(no limit\), 0' ],
    [ 'maxbw 100', 'write -1 \(no limit\), 0' ],
    [ 'maxbw fast', 'write -1 \(no limit\), 0' ],
    [ 'tlpktdrop maybe', '"?on"? or "?off' ],
    [ 'sendbuf 1k', 'a size between 64k and 512m' ],
    [ 'recvbuf 1g', 'a size between 64k and 512m' ],
    [ 'connect_timeout 100ms', 'a time between 500ms and 10m' ],
    [ 'idle_timeout 11m', 'a time between 500ms and 10m' ],
    [ 'default_mode both', 'say .*request.*publish' ],
    [ 'chunk_size 1000', '"chunk_size" directive is not allowed here' ],
) {
    refused($try->[0], "listen $port udp reuseport; srt { $try->[0]; }",
        qr/$try->[1].* in $conf:\d+/);
}

for my $name (qw/ latency passphrase pbkeylen mss maxbw tlpktdrop sendbuf
    recvbuf connect_timeout idle_timeout default_app default_mode /)
{
    my %value = (passphrase => '0123456789', pbkeylen => 16, mss => 1400,
        maxbw => -1, tlpktdrop => 'on', sendbuf => '1m', recvbuf => '1m',
        default_app => 'x', default_mode => 'publish');
    my $v = $value{$name} // '1s';

    refused("$name twice",
        "listen $port udp reuseport; srt { $name $v; $name $v; }",
        qr/"$name" directive is duplicate in $conf:\d+/);
}

my ($status, $text) = check("listen $port udp reuseport; srt { pbkeylen 16; }");
ok($status == 0 && $text =~ /"pbkeylen" .* is of no use without "passphrase"/,
    'a key length for nothing');

# one process

$t->write_file_expand('nginx.conf', <<'END_OF_CONF');
%%TEST_GLOBALS%%
daemon off;
master_process off;
worker_processes 1;
events { }
media { zone 64m; }
stream {
    server { listen 127.0.0.1:%%PORT_8080_UDP%% udp reuseport; srt { } }
}
END_OF_CONF

my $pid = $t->run_daemon($Test::Nginx::NGINX, '-p', $t->testdir() . '/',
    '-c', 'nginx.conf', '-e', 'error.log');

ok(wait_until(sub { -s $t->testdir() . '/nginx.pid' }, 10),
    'master_process off');

my $p = Test::Nginx::SRTPeer->new('127.0.0.1', $port,
    id => '#!::r=live/x,m=publish');

is($p->{code}, 0, 'master_process off: a publisher');
$p->close();

$t->stop_daemon($pid);
unlike($t->read_file('error.log'), qr/\[alert\](?!.*open socket)/,
    'master_process off: no alerts');

done_testing();

###############################################################################

sub check {
    my ($server) = @_;

    $t->write_file_expand('nginx.conf', <<"END_OF_CONF");
%%TEST_GLOBALS%%
events { }
stream {
    server {
        $server
    }
}
END_OF_CONF

    return $t->test_config();
}

sub taken {
    my ($name, $server) = @_;
    my ($status, $text) = check($server);
    is($status, 0, "$name: taken") or diag($text);
}

sub refused {
    my ($name, $server, $like) = @_;
    my ($status, $text) = check($server);

    ok($status != 0 && $text =~ /\[emerg\].*$like/, "$name: refused")
        or diag("$status: $text");
}

sub options {
    my ($name, $options) = @_;
    taken($name, "listen $port udp reuseport; srt { $options }");
}

###############################################################################
