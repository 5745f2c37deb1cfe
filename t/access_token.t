#!/usr/bin/perl

# Copyright (C) the nginx media suite authors

# Signed URLs and tokens, right and wrong, over RTMP, HTTP-FLV, HTTP push and
# HLS with four workers: media_sign with both methods, keys that change, an
# address, expiry; media_jwt with its three algorithms, claims, "none", the
# wrong algorithm, and tokens that are damaged or too long.

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use Test::Nginx;
use Test::Nginx::Access;
use Test::Nginx::HLS;
use Test::RTMP;

use Digest::MD5 qw/ md5_hex /;
use Digest::SHA qw/ hmac_sha256 hmac_sha256_hex /;
use JSON::PP;
use MIME::Base64 qw/ encode_base64url /;
use Time::HiRes qw/ sleep /;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/ http stream rtmp flv_live hls /)
    ->has_daemon('openssl');

my $d = $t->testdir();

my $SECRET = 'KEEPOUT-secret-of-thirty-two-bytes-or-more';

for (['rsa', 'RSA -pkeyopt rsa_keygen_bits:2048'],
    ['other', 'RSA -pkeyopt rsa_keygen_bits:2048'],
    ['weak', 'RSA -pkeyopt rsa_keygen_bits:1024'],
    ['ec', 'EC -pkeyopt ec_paramgen_curve:P-256'],
    ['p384', 'EC -pkeyopt ec_paramgen_curve:P-384'])
{
    system("openssl genpkey -algorithm $_->[1] -out $d/$_->[0].key 2>/dev/null"
        . " && openssl pkey -in $d/$_->[0].key -pubout -out $d/$_->[0].pem")
        == 0 or die "openssl\n";
}

system("openssl req -x509 -new -key $d/rsa.key -subj /CN=x -days 2"
    . " -out $d/cert.pem 2>/dev/null") == 0 or die "openssl\n";

$t->write_file_expand('nginx.conf', <<'EOF_CONF' =~ s/SECRET/$SECRET/gr);

%%TEST_GLOBALS%%

daemon off;

worker_processes 4;

events {
}

media {
    zone 64m;
    idle_timeout 10s;
    republish_wait 1s;
    publish_timeout 20s 20s;
    hls on;
    hls_fragment 1s;
    hls_window 8s;

    application open { }

    application sign {
        media_sign hmac_sha256 KEEPOUT-new KEEPOUT-old;
    }

    application md5 {
        media_sign md5 KEEPOUT-md5 arg=s expires=e play;
    }

    application bound {
        media_sign hmac_sha256 KEEPOUT-b address=on play;
    }

    application cut {
        media_sign hmac_sha256 KEEPOUT-c lifetime=on;
        media_jwt hs256 SECRET play lifetime=on;
        media_sign md5 KEEPOUT-d publish;
    }

    application two {
        media_sign hmac_sha256 KEEPOUT-p publish;
        media_sign md5 KEEPOUT-q play;
    }

    application hs {
        media_jwt hs256 SECRET;
    }

    application rs {
        media_jwt rs256 rsa.pem;
    }

    application cert {
        media_jwt rs256 cert.pem play;
    }

    application es {
        media_jwt es256 ec.pem arg=t iss=me aud=tv leeway=5s;
    }

    application any {
        media_jwt hs256 SECRET play;
        media_jwt rs256 other.pem rsa.pem play;
    }

    vhost v.example.com {
        media_sign hmac_sha256 KEEPOUT-v play;
        application free { media_sign off; }
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
        listen 127.0.0.1:8080;

        large_client_header_buffers 4 32k;

        location / { flv_live; hls; }
        location /push/ { flv_live_push on; }
        location /api/ { media_api; }
    }
}

EOF_CONF

$t->run();

###############################################################################

my $now = time();
my ($soon, $past) = ($now + 600, $now - 1);
my (%pub, $code);

# signed URLs

($code, $pub{sign}) = rtmp_publish('sign', 'x?' . sign('publish', 'sign/x'));
is($code, 'Publish.Start', 'publish is signed');

for my $case (
    [ 'x?' . sign('play', 'sign/x'), 1, 'signed' ],
    [ 'x?' . sign('play', 'sign/x', key => 'KEEPOUT-old'), 1, 'the old key' ],
    [ 'x?' . sign('play', 'sign/x', form => 'base64'), 1, 'base64url' ],
    [ 'x?' . sign('play', 'sign/x', form => 'padded'), 1, 'with padding' ],
    [ 'x?' . sign('play', 'sign/x') =~ s/sign=(\w+)/'sign=' . uc $1/er, 1,
        'capitals' ],
    [ 'x?a=b&' . sign('play', 'sign/x') . '&c=d', 1, 'among others' ],
    [ 'x', 0, 'none' ],
    [ 'x?' . sign('play', 'sign/x', key => 'KEEPOUT-none'), 0, 'wrong key' ],
    [ 'x?' . sign('publish', 'sign/x'), 0, 'for publishing' ],
    [ 'x?' . sign('play', 'sign/y'), 0, 'for another stream' ],
    [ 'x?' . sign('play', 'sig/nx'), 0, 'for another application' ],
    [ 'x?' . sign('play', 'sign/x', expires => $past), 0, 'expired' ],
    [ 'x?' . sign('play', 'sign/x') =~ s/expires=\d+/expires=$past/r, 0,
        'another time' ],
    [ 'x?' . sign('play', 'sign/x') =~ s/expires=\d+/expires=9999999999/r, 0,
        'a later time' ],
    [ 'x?' . sign('play', 'sign/x') =~ s/expires=\d+&?//r, 0, 'no time' ],
    [ 'x?' . sign('play', 'sign/x', expires => '99999999999999'), 0,
        'a time that is too long' ],
    [ 'x?' . sign('play', 'sign/x', expires => "-$soon"), 0, 'no number' ],
    [ 'x?' . sign('play', 'sign/x') =~ s/sign=./sign=/r, 0, 'too short' ],
    [ 'x?' . sign('play', 'sign/x') . '0', 0, 'too long' ],
    [ 'x?' . sign('play', 'sign/x') =~ s/sign=.*/sign=/r, 0, 'empty' ],
    [ 'x?' . sign('play', 'sign/x') =~ s/sign=./sign=%zz/r, 0, 'damaged' ],
) {
    my ($name, $good, $what) = @$case;
    is(rtmp_play('sign', $name), $good ? 'Play.Start' : 'Play.Failed',
        "signature: $what");
    is(http_play('/sign/' . $name =~ s/x\?/x.flv?/r =~ s/^x$/x.flv/r),
        $good ? 200 : 403, "over HTTP: $what");
}

my $signed = sign('play', 'sign/x');

is(http_push('/push/sign/p.flv?' . sign('publish', 'sign/p')), 200, 'pushed');
is(http_push('/push/sign/p.flv?' . sign('play', 'sign/p')), 403, 'to play');
is(rtmp_play("sign?$signed", 'x'), 'Play.Start', 'in the app');

# HLS: a session keeps what the first playlist was allowed

feed($pub{sign}, 1300);
ok(wait_until(sub { http_play("/sign/x.m3u8?$signed") == 200 }, 10),
    'a signed playlist');
is(http_play('/sign/x.m3u8'), 403, 'one that is not');
is(http_play('/sign/x.hls.0.m3u8'), 403, 'nor a rendition');
is(http_play('/sign/x.hls.init.mp4'), 403, 'nor what it names');
is(http_play('/sign/x.mpd'), 403, 'nor as DASH');

my $expires = time() + 4;
my $first = playlist('/sign/x.m3u8?' . sign('play', 'sign/x',
    expires => $expires));
my ($media) = @{$first->{uris}};
like($media, qr/hls_ctx=/, 'has a session');

sleep(0.2) while time() <= $expires;
feed($pub{sign}, 2600);

my $p = playlist("/sign/$media");
ok(@{$p->{segments}}, 'goes on when it has expired');
is(http_play("/sign/$p->{segments}[-1]{uri}"), 200, 'with its segments');
is(http_play("/sign/$p->{segments}[-1]{uri}" =~ s/\?.*//r), 403,
    'which others do not get');

# MD5, other names, only players

($code, $pub{md5}) = rtmp_publish('md5', 'x');
is($code, 'Publish.Start', 'publish without');

my $text = "play:$soon:/md5/x";
is(http_play("/md5/x.flv?e=$soon&s=" . md5_hex("$text:KEEPOUT-md5")), 200,
    'MD5');
is(http_play("/md5/x.flv?e=$soon&s=" . md5_hex("$text:KEEPOUT-md6")), 403,
    'a wrong one');
is(http_play("/md5/x.flv?e=$soon&s=" . md5_hex("$text")), 403, 'no key');
is(http_play("/md5/x.flv?expires=$soon&sign=" . md5_hex("$text:KEEPOUT-md5")),
    403, 'other arguments');

# bound to an address

($code, $pub{bound}) = rtmp_publish('bound', 'x');
my $bound = sign('play', 'bound/x', key => 'KEEPOUT-b',
    address => '127.0.0.8');

is(http_play("/bound/x.flv?$bound", from => '127.0.0.8'), 200, 'its address');
is(http_play("/bound/x.flv?$bound"), 403, 'another one');
is(http_play('/bound/x.flv?' . sign('play', 'bound/x', key => 'KEEPOUT-b')),
    403, 'none');
is(rtmp_play('bound', "x?$bound", from => '127.0.0.8'), 'Play.Start', 'RTMP');

# one key to publish, one to play

($code, $pub{two}) = rtmp_publish('two', 'x?' . sign('publish', 'two/x',
    key => 'KEEPOUT-p'));
is($code, 'Publish.Start', 'the key of publishers');
is(http_play('/two/x.flv?' . sign('play', 'two/x', key => 'KEEPOUT-p')), 403,
    'is none for players');
is(http_play("/two/x.flv?expires=$soon&sign="
    . md5_hex("play:$soon:/two/x:KEEPOUT-q")), 200, 'who have their own');

# a vhost is a part of it

($code, $pub{v}) = rtmp_publish('a?vhost=v.example.com', 'x');
is(http_play('/a/x.flv?' . sign('play', 'a/x', key => 'KEEPOUT-v',
    vhost => 'v.example.com'), host => 'v.example.com'), 200, 'of a vhost');
is(http_play('/a/x.flv?' . sign('play', 'a/x', key => 'KEEPOUT-v'),
    host => 'v.example.com'), 403, 'without it');

($code, $pub{free}) = rtmp_publish('free?vhost=v.example.com', 'x');
is(http_play('/free/x.flv', host => 'v.example.com'), 200, 'off');

# tokens

for my $app (qw/ hs rs /) {
    ($code, $pub{$app}) = rtmp_publish($app, 'x?token=' . jwt($app,
        claims(action => 'publish', path => "$app/x")));
    is($code, 'Publish.Start', "$app: publish");

    for my $case (
        [ 1, 'a token' ],
        [ 1, 'several paths', path => [ 'other/*', "$app/*" ] ],
        [ 1, 'a slash in front', path => "/$app/x" ],
        [ 1, 'everything', path => '*' ],
        [ 1, 'all below', path => "**" ],
        [ 1, 'all actions', action => 'all' ],
        [ 1, 'a list', action => [ 'publish', 'play' ] ],
        [ 1, 'no action is play', action => undef ],
        [ 1, 'not before', nbf => $now - 5 ],
        [ 1, 'a fraction', exp => "$soon.5" + 0 ],
        [ 0, 'another path', path => "$app/y" ],
        [ 0, 'a shorter path', path => $app ],
        [ 0, 'a pattern of one level', path => "*x" ],
        [ 0, 'no path', path => undef ],
        [ 0, 'an empty list of paths', path => [] ],
        [ 0, 'a path that is a number', path => 1 ],
        [ 0, 'another action', action => 'publish' ],
        [ 0, 'another list', action => [ 'publish' ] ],
        [ 0, 'expired', exp => $past ],
        [ 0, 'never expires', exp => undef ],
        [ 0, 'expires as text', exp => "$soon" . '' ],
        [ 0, 'too early', nbf => $now + 60 ],
    ) {
        my ($good, $what, %change) = @$case;
        my $token = jwt($app, claims(path => "$app/x", %change));

        is(http_play("/$app/x.flv?token=$token"), $good ? 200 : 403,
            "$app: $what");
    }
}

my $token = jwt('hs', claims(path => 'hs/x'));

is(rtmp_play('hs', "x?token=$token"), 'Play.Start', 'over RTMP');
is(rtmp_play('hs', "x?jwt=$token"), 'Play.Start', 'jwt=');
is(rtmp_play('hs', 'x'), 'Play.Failed', 'none');
is(http_play('/hs/x.flv', header => { Authorization => "Bearer $token" }), 200,
    'Authorization');
is(http_play('/hs/x.flv', header => { Authorization => "Basic $token" }), 403,
    'of another kind');
is(http_play('/hs/x.ts', header => { Authorization => "bearer  $token " }),
    200, 'spaces and case');

feed($pub{hs}, 1300);
ok(wait_until(sub { http_play('/hs/x.m3u8', header => {
    Authorization => "Bearer $token" }) == 200 }, 10), 'HLS');
is(http_play("/hs/x.m3u8?token=$token"), 200, 'as an argument');
is(http_play('/hs/x.m3u8'), 403, 'without');
is(http_push('/push/hs/p.flv', header => { Authorization => 'Bearer '
    . jwt('hs', claims(path => 'hs/*', action => 'publish')) }), 200, 'pushed');
is(http_push('/push/hs/p.flv', header => { Authorization => 'Bearer '
    . jwt('hs', claims(path => 'hs/*', action => 'play')) }), 403,
    'with one to play');

# what no key has signed

my ($head, $body, $sig) = split /\./, $token;
my $pem = $t->read_file('rsa.pem');
my $rs = jwt('rs', claims(path => 'rs/x'));

for my $case (
    [ 'hs', encode({ alg => 'none' }) . ".$body.", 'none' ],
    [ 'hs', encode({ alg => 'none' }) . ".$body", 'none, two parts' ],
    [ 'hs', encode({ alg => 'none' }) . ".$body.$sig", 'none, signed' ],
    [ 'hs', encode({ alg => 'None' }) . ".$body.", 'None' ],
    [ 'hs', encode({ alg => 'hs256' }) . ".$body.$sig", 'hs256' ],
    [ 'hs', encode({ typ => 'JWT' }) . ".$body.$sig", 'no algorithm' ],
    [ 'hs', encode({ alg => 'HS512' }) . ".$body.$sig", 'HS512' ],
    [ 'hs', "$head.$body.", 'no signature' ],
    [ 'hs', "$head.$body." . substr($sig, 0, 40), 'a part of it' ],
    [ 'hs', "$head.$body.$sig=", 'padded' ],
    [ 'hs', "$head.$body.$sig.x", 'four parts' ],
    [ 'hs', "$head." . encode(claims(path => '*')) . ".$sig", 'other claims' ],
    [ 'hs', raw('HS256', $SECRET . 'x', claims(path => '*')), 'other secret' ],
    [ 'hs', raw('HS256', '', claims(path => '*')), 'an empty secret' ],
    [ 'hs', jwt('rs', claims(path => '*')), 'RS256 for HS256' ],
    [ 'rs', jwt('hs', claims(path => '*')), 'HS256 for RS256' ],
    [ 'rs', raw('HS256', $pem, claims(path => '*')), 'HS256 by the PEM' ],
    [ 'rs', jwt('other', claims(path => '*')), 'another RSA key' ],
    [ 'rs', $rs =~ s/\.[^.]*\z/.AAAA/r, 'a short RSA signature' ],
    [ 'hs', header({ alg => 'HS256', crit => [ 'x' ], x => 1 }), 'crit' ],
    [ 'hs', payload('[]'), 'no object' ],
    [ 'hs', payload('{"exp":' . $soon . ',"path":"*","path":"hs/y"}'),
        'a claim twice' ],
    [ 'hs', payload('{"exp":' . $soon . ',"path":"*"} x'), 'more behind' ],
    [ 'hs', payload('{"exp":1e12,"path":"*"}'), 'an exponent' ],
    [ 'hs', '.', 'dots' ], [ 'hs', '..', 'more dots' ],
    [ 'hs', '', 'empty' ], [ 'hs', 'x' x 100, 'no dots' ],
    [ 'hs', "$head.$body." . 'A' x 9000, 'oversize' ],
    [ 'hs', raw('HS256', $SECRET, claims(path => '*', x => 'y' x 7000)),
        'oversize and signed' ],
) {
    my ($app, $bad, $what) = @$case;

    is(http_play("/$app/x.flv?token=$bad"), 403, "refused: $what");
}

is(http_play('/hs/x.flv?token=' . payload('{"exp":' . $soon
    . ',"p\u0061th":"h\u0073\/x"}')), 200, 'escapes');
is(rtmp_play('hs', 'x?token=' . 'A' x 20000), 'Play.Failed',
    'oversize over RTMP');

# other keys

($code, $pub{cert}) = rtmp_publish('cert', 'x');
is(http_play('/cert/x.flv?token=' . jwt('rs', claims(path => '*'))), 200,
    'a certificate');

($code, $pub{any}) = rtmp_publish('any', 'x');
is(http_play('/any/x.flv?token=' . jwt($_, claims(path => '*'))), 200,
    "any of several: $_") for qw/ hs rs other /;

my %es = (path => 'es/**', iss => 'me', aud => [ 'radio', 'tv' ]);

($code, $pub{es}) = rtmp_publish('es', 'x?t=' . jwt('es',
    claims(%es, action => 'publish')));
is($code, 'Publish.Start', 'ES256');

for my $case (
    [ 1, 'issuer and audience' ],
    [ 1, 'one audience', aud => 'tv' ],
    [ 1, 'leeway', exp => $now - 2 + (time() - $now) ],
    [ 0, 'beyond it', exp => $now - 10 ],
    [ 0, 'another issuer', iss => 'you' ],
    [ 0, 'no issuer', iss => undef ],
    [ 0, 'another audience', aud => [ 'radio' ] ],
) {
    my ($good, $what, %change) = @$case;

    is(http_play('/es/x.flv?t=' . jwt('es', claims(%es, %change))),
        $good ? 200 : 403, "ES256: $what");
}

is(http_play('/es/x.flv?token=' . jwt('es', claims(%es))), 403,
    'another argument');
is(http_play('/es/x.flv?t=' . jwt('es', claims(%es)) =~ s/\.[^.]*\z/.AAAA/r),
    403, 'a short ES256 signature');
is(http_play('/es/x.flv?t=' . jwt('es', claims(%es)) =~ s/\.[^.]*\z/'.'
    . encode_base64url("\0" x 64)/er), 403, 'zeros');

# lifetimes; and both directives are demanded

($code, $pub{cut}) = rtmp_publish('cut', 'x?' . sign('publish', 'cut/x',
    key => 'KEEPOUT-c'));
is($code, 'Publish.Start', 'one of two signatures');

my $both = sign('play', 'cut/x', key => 'KEEPOUT-c') . '&token='
    . jwt('hs', claims(path => 'cut/x', exp => time() + 4));

is(http_play('/cut/x.flv?' . sign('play', 'cut/x', key => 'KEEPOUT-c')), 403,
    'a signature and no token');
is(http_play('/cut/x.flv?token=' . jwt('hs', claims(path => '*'))), 403,
    'a token and no signature');

my $s = http_player("/cut/x.flv?$both");
ok($s, 'both');

my $end = time() + 10;
my $closed;

while (time() < $end && !$closed) {
    feed($pub{cut}, 1300 + 1300 * ($end - time()));
    sleep(0.3);
    while (IO::Select->new($s)->can_read(0)) {
        my $n = sysread $s, my $data, 1 << 20;
        $closed = 1, last if !$n;
    }
}

ok($closed, 'closed when the token ends');

# secrets are shown nowhere

my @words = ($SECRET, 'KEEPOUT', $sig, 'expires=', 'token=', 'jwt=', 'hls_ctx');

$s = http_player("/hs/x.flv?token=$token");
my $rtmp = rtmp_play('hs', "x?token=$token");

for my $path ('clients/?count=1000', 'streams/?count=1000', 'summaries') {
    is(hidden(http_get("/api/v1/$path"), @words), '', "nothing in $path");
}

for my $case (
    [ 'media_sign sha1 k;', 'invalid method "sha1"' ],
    [ 'media_sign md5 k expire=e;', 'there is no option "expire="' ],
    [ 'media_sign md5;', 'needs a key' ],
    [ 'media_sign md5 k arg=;', 'has no name' ],
    [ 'media_sign md5 k address=yes;', 'invalid value "address=yes"' ],
    [ 'media_sign md5 k; media_sign off;', 'exclude each other' ],
    [ "media_jwt hs256 $SECRET life=on;", 'there is no option "life="' ],
    [ 'media_jwt none x;', 'invalid algorithm "none"' ],
    [ 'media_jwt hs256;', 'needs a key' ],
    [ 'media_jwt rs256 missing.pem;', 'cannot read' ],
    [ 'media_jwt rs256 nginx.conf;', 'neither a public key nor' ],
    [ 'media_jwt rs256 rsa.key;', 'neither a public key nor' ],
    [ 'media_jwt rs256 weak.pem;', 'is none for this algorithm' ],
    [ 'media_jwt rs256 ec.pem;', 'is none for this algorithm' ],
    [ 'media_jwt es256 p384.pem;', 'is none for this algorithm' ],
    [ 'media_jwt es256 rsa.pem;', 'is none for this algorithm' ],
    [ "media_jwt hs256 $SECRET leeway=2h;", 'invalid time' ],
) {
    my ($conf, $want) = @$case;

    $t->write_file_expand('bad.conf',
        "%%TEST_GLOBALS%% events { }\nmedia {\n$conf\n}\n");

    my ($status, $said) = $t->test_config('bad.conf');

    isnt($status, 0, "refused: $conf");
    like($said, qr/\Q$want\E.* in \S+bad\.conf:\d/s, 'and told why and where');
}

$t->write_file_expand('warn.conf', "%%TEST_GLOBALS%% events { }\n"
    . "media { media_jwt hs256 KEEPOUT-short; }\n");
my ($status, $said) = $t->test_config('warn.conf');
is($status, 0, 'a short secret');
like($said, qr/RFC 7518 demands 32/, 'is warned about');
is(hidden($said, 'KEEPOUT-short'), '', 'and not shown');

###############################################################################

is(hidden(join("\n", grep { !/\[debug\]/ } split /\n/,
    $t->read_file('error.log')), @words), '', 'nor in the log');

done_testing();

###############################################################################

sub sign {
    my ($action, $path, %o) = @_;

    my $e = $o{expires} || $soon;
    my $key = $o{key} || 'KEEPOUT-new';
    my $form = $o{form} || 'hex';
    my $text = "$action:$e:" . ($o{address} ? "$o{address}:" : '')
        . ($o{vhost} || '') . "/$path";

    my $mac = $form eq 'hex' ? hmac_sha256_hex($text, $key)
        : encode_base64url(hmac_sha256($text, $key));

    return "expires=$e&sign=$mac" . ($form eq 'padded' ? '=' : '');
}

sub claims {
    my (%o) = @_;

    %o = (exp => $soon, action => 'play', %o);
    delete $o{$_} for grep { !defined $o{$_} } keys %o;

    return \%o;
}

sub encode { return encode_base64url(JSON::PP->new->canonical->encode($_[0])) }

sub jwt {
    my ($who, $claims) = @_;

    return raw('HS256', $SECRET, $claims) if $who eq 'hs';

    my $text = encode({ alg => $who eq 'es' ? 'ES256' : 'RS256' }) . '.'
        . encode($claims);
    my $key = { rs => 'rsa', es => 'ec', other => 'other' }->{$who};

    $t->write_file('text', $text);
    my $der = `openssl dgst -sha256 -sign $d/$key.key $d/text`;

    if ($who eq 'es') {
        my $n = unpack 'C', substr $der, 3, 1;
        my @n = map { substr("\0" x 32 . $_, -32) } substr($der, 4, $n),
            substr($der, 6 + $n);
        $der = join '', @n;
    }

    return "$text." . encode_base64url($der);
}

sub raw {
    my ($alg, $secret, $claims) = @_;

    my $text = encode({ alg => $alg, typ => 'JWT' }) . '.' . encode($claims);

    return "$text." . encode_base64url(hmac_sha256($text, $secret));
}

# with a header, or a payload, as it is

sub header {
    my ($header) = @_;

    my $text = encode($header) . '.' . encode(claims(path => '*'));

    return "$text." . encode_base64url(hmac_sha256($text, $SECRET));
}

sub payload {
    my ($json) = @_;

    my $text = encode({ alg => 'HS256' }) . '.' . encode_base64url($json);

    return "$text." . encode_base64url(hmac_sha256($text, $SECRET));
}
