#!/usr/bin/perl

# Copyright (C) the nginx media suite authors

# The HTTP client of the suite, against servers that behave and servers that
# do not.  It is driven by a module of the test's own, t/web, which is built
# here.

use warnings;
use strict;

use Test::More;

use File::Basename qw/ dirname /;
use IO::Socket::INET;
use Sys::Hostname;
use Time::HiRes qw/ time sleep /;

use lib dirname(__FILE__) . '/lib';
use Test::Nginx;
use Test::Nginx::Web;

###############################################################################

plan(skip_all => 'not a dynamic build') if $ENV{TEST_NGINX_STATIC};

my $t = Test::Nginx->new()->has(qw/http http_ssl http_v2 media/);

my $objs = $ENV{TEST_NGINX_MODULES} || "$Test::Nginx::ROOT/objs";
my $dir = $t->testdir();

# built as the modules were: with what their makefile says

my ($src) = slurp("$objs/.inputs") =~ m!^/\S+ (/\S+) !m;

$t->write_file('try.mk', <<"END_OF_MAKE");
include $objs/Makefile

$dir/try.so: $Test::Nginx::ROOT/t/web/ngx_http_web_try_module.c
	\@\$(CC) \$(CFLAGS) -shared -o \$@ \$(ALL_INCS) \$<
END_OF_MAKE

my $text = `make -s -C $src -f $dir/try.mk $dir/try.so 2>&1`;

is($?, 0, 'the module of this test builds') or BAIL_OUT($text);

# back ends, one of them nginx itself

my $web = Test::Nginx::Web->new($t, port(8081));

Test::Nginx::Web::dns($t, port(8953), {
    'good.test' => ['127.0.0.1'],
    'two.test' => [qw/ 127.0.0.2 127.0.0.3 127.0.0.1 /],
    'none.test' => [],
    'silent.test' => undef,
});

Test::Nginx::Web::certificates($t);

my $tls = '';
my $n = 8443;
my %port = map { $_ => port($n++) } qw/ good self other expired /;

for my $name (sort keys %port) {
    $tls .= "server { listen 127.0.0.1:$port{$name} ssl http2;"
        . " ssl_certificate $dir/$name.pem;"
        . " ssl_certificate_key $dir/$name.key;"
        . ' return 200 "$server_protocol $connection $ssl_session_reused'
        . ' $ssl_server_name"; }' . "\n";
}

sub location {
    my ($name, $url) = @_;
    return "location = /$name { web_try $url; }\n";
}

my $base = 'http://127.0.0.1:' . port(8081);
my $locations = join '',
    location('plain', "$base/ok"),
    location('user', 'http://ann:p%40ss@127.0.0.1:' . port(8081) . '/echo?q=1'),
    location('local', 'http://LocalHost:' . port(8081) . '/ok'),
    location('six', 'http://[::1]:' . port(8081) . '/ok'),
    location('down', 'http://127.0.0.1:' . port(8089) . '/'),
    location('full', 'http://127.0.0.1:' . port(8090) . '/'),
    location('tlsplain', 'https://127.0.0.1:' . port(8081) . '/'),
    map({ location($_, "http://$_.test:" . port(8081) . '/ok') }
        qw/ good two none silent /),
    map { location("tls$_", "https://localhost:$port{$_}/") }
        sort keys %port;

my $conf = <<"END_OF_CONF";
%%TEST_GLOBALS%%
load_module $dir/try.so;
daemon off;
worker_processes 2;
events { worker_connections 1024; }
media {
    resolver 127.0.0.1:%%PORT_8953%% ipv6=off;
    hook_trusted_certificate trusted.pem;
}
http {
    %%TEST_GLOBALS_HTTP%%
    server { listen 127.0.0.1:8080; $locations }
    server { listen 127.0.0.1:8082; location / { return 200; } }
    $tls
}
END_OF_CONF

$t->write_file_expand('nginx.conf', $conf);
$t->run();

# what a server does

my $a = try('plain');

is($a->{status}, 200, 'an answer');
is($a->{body}, '0', 'its body');

my $r = try('plain', path => '/echo?a=%2F', body => '{"a":1}')->{body};

like($r, qr!^POST /echo\?a=%2F HTTP/1.1\r\n!, 'a POST with a body');
like($r, qr/^Host: 127.0.0.1:\d+\r$/m, 'host');
like($r, qr!^User-Agent: nginx-media/\d+\.\d+\.\d+\r$!m, 'agent');
like($r, qr!^Content-Type: application/json\r$!m, 'type');
like($r, qr/^Content-Length: 7\r$/m, 'length');
unlike($r, qr/^Expect/m, 'no Expect');
like($r, qr/\r\n\r\n\{"a":1\}$/, 'body');

$r = try('plain', path => '/echo', method => 'POST')->{body};
like($r, qr/^Content-Length: 0\r$/m, 'an empty POST has a length');
unlike($r, qr/^Content-Type/m, 'and no type');

$r = try('plain', path => '/echo', header => 'Content-Length: 0')->{body};
like($r, qr/^GET .*^Content-Length: 0\r$/ms, 'a GET with a length');

$r = try('plain', path => '/echo', header => "X-One: a\r\nX-Two: b")->{body};
unlike($r, qr/^X-Two/m, 'a header is one line');

$r = try('plain', path => '/echo', method => 'DELETE')->{body};
like($r, qr/^DELETE /, 'another method');

$r = try('user')->{body};
like($r, qr!^GET /echo\?q=1 HTTP!, 'a URL with a user');
like($r, qr/^Authorization: Basic YW5uOnBAc3M=\r$/m, 'basic authentication');

is(try('plain', path => '/chunked')->{body}, ' 0', 'chunked');
is(try('plain', path => '/old')->{body}, '0', 'HTTP/1.0');

$a = try('plain', path => '/redirect');
is("$a->{status} $a->{location}", '302 there/else?x=1',
    'a redirect is not followed');

is(try('plain', path => "/status/$_")->{status}, $_, "status $_")
    for qw/ 204 404 500 /;

$a = try('plain', path => '/big/100000', max => 100000);
is("$a->{length} $a->{cut}", '100000 0', 'a long answer');
$a = try('plain', path => '/big/100001', max => 100000);
is("$a->{status} $a->{length} $a->{cut}", '200 100000 1', 'a longer one');
$a = try('plain', path => '/endless', max => 5000);
is("$a->{status} $a->{length} $a->{cut}", '200 5000 1', 'an endless one');

# what it does wrong

$a = try('down');
is("$a->{status} $a->{error}", '0 connection refused', 'nobody there');
fails('plain', 'is not HTTP', path => '/garbage');
fails('plain', 'before the end', path => '/half');
fails('plain', 'before the end', path => '/close');
fails('plain', 'before the end', path => '/reset');
fails('plain', 'headers .* too long', path => '/headers');

for my $path (qw! /never /trickle /slow/2000 !) {
    $a = fails('plain', 'timed out', path => $path, timeout => 300);
    ok($a->{took} >= 290 && $a->{took} < 1500, "$path: in time")
        or diag($a->{took});
}

# one that takes no connections: what never connects leaves nothing

my $full = IO::Socket::INET->new(Listen => 1,
    LocalAddr => '127.0.0.1:' . port(8090)) or die "listen: $!\n";
my @fill = map {
    IO::Socket::INET->new(PeerAddr => '127.0.0.1:' . port(8090),
        Blocking => 0);
} 1 .. 8;

for (1 .. 3) {
    $a = try('full', n => 30, cancel => 10, timeout => 300);
    is("$a->{count} $a->{error}", '20 timed out', 'no connection');
    is(try('plain', n => 30)->{good}, 30, 'others have theirs');
}

# names

is(try('good')->{status}, 200, 'a name');
is(try('local')->{status}, 200, 'localhost');
is(try('two', timeout => 3000)->{status}, 200,
    'the third of three addresses answers');
fails('none', 'not found');
$a = fails('silent', 'timed out', timeout => 500);
ok($a->{took} >= 490 && $a->{took} < 2000, 'a silent name server: in time');

# TLS

$a = try('tlsgood');
is($a->{status}, 200, 'TLS') or diag($a->{error});
like($a->{body}, qr!^HTTP/2.0 .* localhost$!, 'HTTP/2 and SNI');
fails('tlsself', 'self-signed');
fails('tlsother', 'another host');
fails('tlsexpired', 'expired');
fails('tlsplain', '.');

# connections are used again

my $seen = () = $web->seen();

$a = try('plain', n => 200, again => 800);
is($a->{count}, 1000, 'a thousand requests');
is($a->{good}, 1000, 'and answers');

my @seen = $web->seen();
my %conns = map { $_->{conn} => 1 } @seen[$seen .. $#seen];
cmp_ok(scalar keys %conns, '<=', 256, 'connections were used again');

$a = try('plain', n => 600, path => '/slow/300', timeout => 10000);
is($a->{good}, 600, 'more requests than connections');

$a = try('tlsgood', n => 100);
is($a->{good}, 100, 'a burst over TLS');

my %h2 = map { (split)[1] => 1 } map { $_->{body} } @{$a->{all}};
cmp_ok(scalar keys %h2, '<=', 2, 'shares a connection') or diag(keys %h2);

is(try('plain', path => '/bye')->{status}, 200, 'a server that closes')
    for 1 .. 3;
is(try('plain')->{status}, 200, 'and is asked again');

# cancelled

is(try('plain', n => 10, cancel => 9, path => '/slow/100')->{count}, 1,
    'some are cancelled');
is(try('silent', n => 10, cancel => 10)->{count}, 0, 'names too');

# what would end a URL does not

like(try('plain', path => "/echo?a=b c#d\r\nX: y")->{body},
    qr!^GET /echo\?a=b%20c%23d%0D%0AX:%20y HTTP!, 'a URL is one line');

# nothing grows: descriptors, memory, threads

sub size_of {
    my ($pid) = @_;

    my ($kb) = slurp("/proc/$pid/status") =~ /^VmRSS:\s+(\d+)/m;
    my @fds = glob "/proc/$pid/fd/*";
    my @threads = glob "/proc/$pid/task/*";

    return { kb => $kb, fds => scalar @fds, threads => scalar @threads };
}

sub sum {
    my ($what, @of) = @_;
    my $sum = 0;
    $sum += $_->{$what} for @of;
    return $sum;
}

my @workers = $t->workers();
my $round = sub {
    try('plain', n => 200, again => 600);
    try('tlsgood', n => 20);
    try('good', n => 100, path => '/close');
    try('plain', n => 100, path => '/endless');
    try('tlsself', n => 5);
};

$round->() for 1 .. 3;

my @before = map { size_of($_) } @workers;

$round->() for 1 .. 4;

my @after = map { size_of($_) } @workers;

is(sum('threads', @after), scalar @workers, 'no threads');
cmp_ok(sum('fds', @after), '<=', sum('fds', @before) + 300,
    'no more descriptors than are kept');

SKIP: {
    skip 'memory under sanitizers', 1 if $t->has_module('sanitizer');
    cmp_ok(sum('kb', @after), '<', sum('kb', @before) * 1.2, 'memory')
        or diag(explain \@before, \@after);
}

# a worker that leaves has its answers, one that dies takes its own along

my @waiting = map { start('plain', path => '/slow/2500') } 1 .. 20;
my @slow = map { start('good', path => '/slow/2500') } 1 .. 20;

wait_until(sub { 40 == grep { $_->{path} eq '/slow/2500' } $web->seen() });

ok($t->reload(), 'reload in the middle');

my $late = try('plain');

is($late->{status}, 200, 'the new workers ask');
is(scalar grep({ (ended($_)->{status} // 0) == 200 } @waiting, @slow), 40,
    'the old ones had their answers');
ok(wait_until(sub { $t->all_workers() == 2 }, 10), 'and are gone');

@waiting = map { start('plain', path => '/slow/2600') } 1 .. 40;

wait_until(sub { 40 == grep { $_->{path} eq '/slow/2600' } $web->seen() });

my ($victim) = $t->workers();

ok($t->kill_worker($victim), 'a worker dies');
is(try('plain')->{status}, 200, 'others ask');

my $had = grep { (ended($_)->{status} // 0) == 200 } @waiting;

cmp_ok($had, '<', 41, "what others had asked was answered: $had of 40");

# a configuration that is wrong

for (['ftp://a/', 'must begin'], ['http:///x', 'no host'],
    ['http://$host/x', 'behind the host'], ['http://a:0/', 'invalid port'],
    ['http://a:99999/', 'invalid port'], ['http://[::1/', 'missing'],
    ['http://[::x]/', 'invalid IPv6'], ['http://a!b/', 'invalid host'],
    ['"http://a/ b"', 'space'])
{
    my ($url, $why) = @$_;

    refused($url, $why, "location = /x { web_try $url; }");
}

refused('a name without a resolver', 'host not found.*\.conf:\d+',
    'location = /x { web_try http://none.invalid/x; }',
    qr/resolver .*?;/);
refused('no certificates', 'no trusted certificates',
    'location = /x { web_try https://127.0.0.1/x; }', qr/trusted\.pem/ =>
    'nginx.conf');

SKIP: {
    my $host = hostname();

    skip 'this host has no name', 1 unless gethostbyname($host);

    my ($status, $text) = other("location = /x { web_try http://$host/x; }",
        qr/resolver .*?;/);

    is($status, 0, 'a name that is looked up by nginx -t') or diag($text);
}

SKIP: {
    skip 'no certificates here', 1
        unless -s '/etc/ssl/certs/ca-certificates.crt';

    my ($status, $text) = other('location = /x { web_try https://[::1]/; }',
        qr/hook_trusted_certificate .*?;/);

    is($status, 0, "the system's certificates") or diag($text);
}

done_testing();

###############################################################################

sub slurp {
    open my $fh, '<', $_[0] or die "$_[0]: $!\n";
    local $/;
    return scalar <$fh>;
}

# the answer: fields of the last one, how many there were, how many were good

sub try {
    return ended(start(@_));
}

sub start {
    my ($name, %args) = @_;

    my $query = join '&', map {
        my $v = $args{$_};
        $v =~ s/([^\w.\/-])/sprintf '%%%02X', ord $1/ge;
        "$_=$v";
    } sort keys %args;

    return http_get("/$name?$query", start => 1);
}

sub ended {
    my ($socket) = @_;

    my $got = http_content(http_end($socket, timeout => 30) // '') // '';
    my (@all, %last);

    while ($got =~ /\Gstatus=(\d+)\ error="(.*?)"\ cut=(\d)\ took=(\d+)\s
        location="(.*?)"\ length=(\d+)\ body=/gx)
    {
        %last = (status => $1, error => $2, cut => $3, took => $4,
            location => $5, length => $6);
        $last{body} = substr $got, pos $got, $6;
        pos($got) += $6 + 1;
        push @all, {%last};
    }

    return { %last, count => scalar @all, all => \@all,
        good => scalar grep({ $_->{status} == 200 } @all) };
}

sub fails {
    my ($name, $why, %args) = @_;

    my $a = try($name, %args);

    is($a->{status}, 0, "$name $why: no status");
    like($a->{error}, qr/$why/, "$name $why");

    return $a;
}

# nginx -t with another location, and something else replaced

sub other {
    my ($location, $from, $to) = @_;

    my $other = $conf;

    $other =~ s/location = \/plain \{.*?\}/LOCATION/;
    $other =~ s/^location = .*//gm;
    $other =~ s/LOCATION/$location/;
    $other =~ s/$from/$to \/\/ ''/e if $from;

    $t->write_file_expand('other.conf', $other);

    $t->write_file('test.log', '');

    return $t->test_config('other.conf');
}

sub refused {
    my ($name, $why, @other) = @_;
    my ($status, $text) = other(@other);

    isnt($status, 0, "refused: $name");
    like($text, qr/\[emerg\].*$why/s, "refused: $name: why");
}
