#!/usr/bin/perl

# Copyright (C) the nginx media suite authors

# Enhanced RTMP v2 with a publisher and players of our own: audio by FourCC,
# channels, offsets in nanoseconds, several tracks in each of their forms; what
# players of several kinds are sent, and what is made of broken ones.  Four
# workers, and players of a worker that came with a reload.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use Test::Nginx;
use Test::Nginx::Enhanced;
use Test::RTMP qw/ num /;

use Time::HiRes qw/ sleep time /;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/ stream rtmp http /);

$t->write_file_expand('nginx.conf', <<'EOF');

%%TEST_GLOBALS%%

daemon off;
worker_processes 4;

events {
}

media {
    idle_timeout 2s;
    republish_wait 0;
    publish_timeout 20s 60s;
}

stream {
    %%TEST_GLOBALS_STREAM%%

    server {
        listen 127.0.0.1:%%PORT_1935%%;
        rtmp { }
    }
}

http {
    %%TEST_GLOBALS_HTTP%%

    server {
        listen 127.0.0.1:8080;
        location /api/ { media_api; }
    }
}

EOF

$t->run();

my $port = port(1935);

my %all = (capsEx => num(0x02 | 0x04 | 0x08), fourCcList => ['*']);
my %many = (capsEx => num(0x02), fourCcList => ['*']);

my $sps = substr(Test::RTMP::avc_config(), 5);
my $asc = "\x12\x10";

sub key   { return Test::RTMP::avc_nal(0x65, @_) }
sub inter { return Test::RTMP::avc_nal(0x41, @_) }
sub sound { return sprintf('!%07d', $_[0]) . 'a' x 50 }

###############################################################################

# connect

my $c = client(%all);
my $r = $c->{connected}[2];

ok(!grep({ my $f = $_; !grep { $_ eq $f } @{$r->{fourCcList}} }
    qw/ avc1 hvc1 av01 vp09 vp08 mp4a Opus ac-3 ec-3 fLaC .mp3 /),
    'connect, fourCcList');
is(join(' ', map { $r->{audioFourCcInfoMap}{$_} // 'none' }
    qw/ Opus ac-3 ec-3 fLaC .mp3 mp4a /), '4 4 4 4 4 4',
    'connect, audioFourCcInfoMap: forwarded');
is($r->{videoFourCcInfoMap}{hvc1}, 4, 'connect, videoFourCcInfoMap');
is($r->{capsEx}, 15, 'connect, capsEx');
$c->close();

ok(!exists client()->{connected}[2]{capsEx}, 'connect of before: no capsEx');

# audio by its FourCC, to all players

my %config = (
    Opus => 'OpusHead' . pack('CCvVvC', 1, 2, 312, 48000, 0, 0),
    fLaC => 'fLaC' . "\x80\0\0\x22" . pack('nn', 4096, 4096) . "\0" x 6
        . pack('NN', 0x0ac442f0, 0) . "\0" x 16,
    mp4a => $asc, 'ac-3' => undef, 'ec-3' => undef, '.mp3' => undef,
);

my %legacy = (mp4a => 'aac', '.mp3' => 'mp3');

for my $fourcc (sort keys %config) {
    my $name = "audio$fourcc";
    my $p = publisher($name);
    my $old = $legacy{$fourcc} || $fourcc;
    my @want = $config{$fourcc} ? 'config' : ();

    $p->audio(0, ex('a', 0, $fourcc, $config{$fourcc})) if $config{$fourcc};
    $p->audio($_ * 20, ex('a', 1, $fourcc, sound($_))) for 0 .. 3;

    my $v = player($name);
    is(words($v, 4 + @want), join(', ', map({ "a0 $old $_" } @want),
        map { "a0 $old - $_" } 0 .. 3), "$fourcc, in and out");

    my $e = player($name, %all);
    $old = $fourcc eq 'mp4a' ? 'mp4a' : $old;
    is(words($e, 4 + @want), join(', ', map({ "a0 $old $_" } @want),
        map { "a0 $old - $_" } 0 .. 3), "$fourcc, out with ModEx");

    $_->close() for $p, $v, $e;
}

# channels, and colours, come to newcomers

my $p = publisher('sticky');
my $colour = Test::RTMP::amf0('colorInfo',
    { colorConfig => { bitDepth => num(10) } });
my $channels = ex('a', 4, 'mp4a', "\x01\x06" . pack('N', 0x3f));

$p->video(0, ex('v', 0, 'avc1', $sps, 1));
$p->video(0, ex('v', 4, 'avc1', $colour, 1));
$p->audio(0, ex('a', 0, 'mp4a', $asc));
$p->audio(0, $channels);
$p->video(0, ex('v', 3, 'avc1', key(0), 1));

for my $n (1 .. 60) {
    $p->video($n * 40, $n % 20 ? ex('v', 3, 'avc1', inter($n))
        : ex('v', 3, 'avc1', key($n), 1));
}

settle('sticky', 60);

$c = player('sticky');
my @m = take($c, 5);
is(body_list(qr//, @m), 'v0 avc config, a0 aac config, v0 avc1 packet4, '
    . 'a0 mp4a packet4, v0 avc key 60', 'channels and colours for a newcomer');
is(unpack('H*', $m[3] ? $m[3]{body} : ''), unpack('H*', $channels),
    'MultichannelConfig as it came');
$_->close() for $p, $c;

# offsets in ns

$p = publisher('nano');
$p->video(0, ex('v', 0, 'avc1', $sps, 1));
$p->audio(0, ex('a', 0, 'mp4a', $asc));
$p->video(0, ex('v', 1, 'avc1', "\0\0\x28" . key(0), 1));
$p->audio(0, modex(333333, ex('a', 1, 'mp4a', sound(1))));
$p->video(33, modex(366667, ex('v', 3, 'avc1', inter(2))));
$p->audio(40, ex('a', 1, 'mp4a', sound(3)));
$p->video(66, modex(733000, ex('v', 1, 'avc1', "\0\0\x28" . inter(4))));

$c = player('nano', %all);
@m = take($c, 7);
is(body_list(qr//, @m), 'v0 avc1 config, a0 mp4a config, v0 avc1 key 0, '
    . 'a0 mp4a - 1 +333000, v0 avc1 inter 2 +366000, a0 mp4a - 3, '
    . 'v0 avc1 inter 4 +733000', 'offsets to who announced them');
is(join(' ', map { $_->{ts} } @m[2 .. 6]), '0 0 33 40 66', 'and the times');
is(unpack('H*', substr $m[6]{body}, 0, 13),
    unpack('H*', "\xa7\x02" . substr(pack('N', 733000), 1) . "\x01avc1\0\0\x28"),
    'as the specification has it');
$c->close();

for my $caps (0x02, 0x04, 0x08) {
    $c = player('nano', capsEx => num($caps), fourCcList => ['*']);
    is(words($c, 7), 'v0 avc config, a0 aac config, v0 avc key 0, '
        . 'a0 aac - 1, v0 avc inter 2, a0 aac - 3, v0 avc inter 4',
        "capsEx $caps: whole ms");
    $c->close();
}

$c = player('nano', capsEx => num(0x0c), videoFourCcInfoMap =>
    { avc1 => num(2) }, audioFourCcInfoMap => { mp4a => num(1) });
like(words($c, 7), qr/v0 avc key 0, a0 aac - 1, v0/,
    'who can only encode avc1 gets none either');
$_->close() for $p, $c;

# a clock of ms and one of us: they do not drift

$p = publisher('drift');
$p->audio(0, ex('a', 0, 'mp4a', $asc));

my @ns = map { int($_ * 1024 / 48000 * 1e9 + 0.5) } 0 .. 49;

$p->audio(int($_ / 1e6), modex($_ % 1e6, ex('a', 1, 'mp4a', sound(0))))
    for @ns;

settle('drift', 0, 8, int($ns[49] / 1e6));

$c = player('drift', %all);
@m = grep { $_->{body} !~ /^\x90/ } take($c, 51);

my ($off, $skip) = (0, @ns - @m);

for my $i (0 .. $#m) {
    my ($ns) = body_read(8, $m[$i]{body}) =~ /\+(\d+)/;
    my $diff = abs($m[$i]{ts} * 1e6 + ($ns || 0) - $ns[$skip + $i]);
    $off = $diff if $diff > $off;
}

cmp_ok(scalar @m, '>=', 3, 'audio by offsets');
cmp_ok($off, '<', 1000, "within a microsecond, $off ns");
$_->close() for $p, $c;

###############################################################################

# three forms of several tracks, each to the same players

my @form = (

    # OneTrack

    sub {
        my ($n, $key) = @_;

        return [ 9, one_track('v', 3, 'avc1', 1, $key ? key(100 + $n)
            : inter(100 + $n), $key) ],
            [ 8, one_track('a', 1, 'mp4a', 1, sound(300 + $n)) ],
            [ 9, $key ? Test::RTMP::avc_key($n) : Test::RTMP::avc_inter($n) ],
            [ 8, "\xaf\x01" . sound(200 + $n) ];
    },

    # ManyTracks

    sub {
        my ($n, $key) = @_;

        return [ 9, many_tracks('v', 1, 'avc1', $key, map { $_ => "\0\0\0"
            . ($key ? key($_ * 100 + $n) : inter($_ * 100 + $n)) } 0, 1) ],
            [ 8, many_tracks('a', 1, 'mp4a', 0, 0 => sound(200 + $n),
                1 => sound(300 + $n)) ];
    },

    # ManyTracksManyCodecs

    sub {
        my ($n, $key) = @_;

        return [ 9, many_codecs('v', 1, $key,
            map { [ 'avc1', $_, "\0\0\0" . ($key ? key($_ * 100 + $n)
                : inter($_ * 100 + $n)) ] } 0, 1) ],
            [ 8, many_codecs('a', 1, 0, [ 'mp4a', 0, sound(200 + $n) ],
                [ 'Opus', 1, sound(300 + $n) ]) ];
    },
);

my @configs = (
    [ [ 9, one_track('v', 0, 'avc1', 1, $sps, 1) ],
      [ 9, one_track('v', 0, 'avc1', 0, $sps, 1) ],
      [ 8, one_track('a', 0, 'mp4a', 1, $asc) ],
      [ 8, "\xaf\0$asc" ] ],
    [ [ 9, many_tracks('v', 0, 'avc1', 1, 0 => $sps, 1 => $sps) ],
      [ 8, many_tracks('a', 0, 'mp4a', 0, 0 => $asc, 1 => $asc) ] ],
    [ [ 9, many_codecs('v', 0, 1, [ 'avc1', 0, $sps ], [ 'avc1', 1, $sps ]) ],
      [ 8, many_codecs('a', 0, 0, [ 'mp4a', 0, $asc ],
        [ 'Opus', 1, $config{Opus} ]) ] ],
);

my @live;

for my $i (0 .. 2) {
    my $name = (qw/ OneTrack ManyTracks ManyTracksManyCodecs /)[$i];
    my $a1 = $i == 2 ? 'Opus' : 'mp4a';
    my $p = publisher($name);

    $p->data(0, '@setDataFrame', 'onMetaData', { width => num(64),
        audioTrackIdInfoMap => { 1 => { language => 'de' } } });
    say_all($p, 0, @{$configs[$i]});
    say_all($p, $_ * 40, $form[$i]->($_, $_ % 5 == 0)) for 0 .. 12;

    settle($name, 12);

    my $e = player($name, %many);
    my $old = player($name);

    $_->{first} = [ take($_, 3) ] for $e, $old;
    say_all($p, 520, $form[$i]->(13, 0));

    my @got = (@{$e->{first}}, take($e, 15));
    my $got = body_list(qr//, @got);

    is($e->{seen_meta}{audioTrackIdInfoMap}{1}{language}, 'de',
        "$name: metadata of tracks");

    like($got, qr/^v0\ avc\ config,\ a0\ aac\ config,\ \*v1\ avc1\ config,
        \ \*a1\ $a1\ config,\ /x,
        "$name: a newcomer gets all configurations");
    is(body_list(qr/v0/, @got), join(', ', 'v0 avc config', 'v0 avc key 10',
        map { "v0 avc inter $_" } 11 .. 13), "$name: video 0");
    like(body_list(qr/a1/, @got), qr/config, .*\*a1 $a1 - 312/,
        "$name: audio 1");
    like(body_list(qr/v1/, @got), qr/\*v1 avc1 inter 112/, "$name: video 1");

    is(body_list(qr//, @{$old->{first}}, take($old, 7)),
        'v0 avc config, a0 aac config, v0 avc key 10, '
        . 'a0 aac - 210, v0 avc inter 11, a0 aac - 211, v0 avc inter 12, '
        . 'a0 aac - 212, v0 avc inter 13, a0 aac - 213',
        "$name: the default tracks");

    $_->close() for $e, $old;

    push @live, $p;
}

# what players choose

my $one = $live[0];

my %select = (
    'v1,a1' => 'v0 avc config, a0 aac config, v0 avc key 110',
    'v1' => 'v0 avc config, v0 avc key 110, v0 avc inter 111',
    'V0%2CA1' => 'v0 avc config, a0 aac config, v0 avc key 10, a0 aac - 31',
    'a1' => 'a0 aac config, a0 aac - 3',
    'default' => 'v0 avc config, a0 aac config, v0 avc key 10, a0 aac - 210',
    'a' => 'a0 aac config, \*a1 mp4a config, ',
    'all' => 'v0 avc config, a0 aac config, \*v1 avc1 config, \*a1 mp4a',
);

for my $tracks (sort keys %select) {
    $c = player("OneTrack?tracks=$tracks");
    like(words($c, 4), qr/^$select{$tracks}/, "tracks=$tracks");
    $c->close();
}

$c = player('ManyTracksManyCodecs?tracks=a1');
like(words($c, 4), qr/^a0 Opus config, a0 Opus - /, 'another codec');
$c->close();

$c = player('OneTrack?tracks=default', %all);
is(body_list(qr/[av]1 /, take($c, 8)), '',
    'default, for who could take all');
$c->close();

$c = player('OneTrack?tracks=all&onlyaudio=1');
like(words($c, 4), qr/^a0 aac config, \*a1 mp4a config, /,
    'all, but audio only');
$c->close();

for my $bad ('', 'x', 'v7', 'v0,', 'v0v1', 'a%', 'v1&onlyaudio=1') {
    $c = client();
    my $m = $c->play("OneTrack?tracks=$bad",
        expect => 'NetStream.Play.Failed');
    like($m ? $m->{info}{description} : '', qr/"tracks" must be/,
        "tracks=$bad is refused");
    $c->close();
}

sleep(2);

$c = client();
my $m = $c->play('OneTrack?tracks=v5,a6', expect => 'NetStream.Play.Failed');
is($m && $m->{info}{description}, 'stream has none of these tracks',
    'tracks that are not there');
ok($c->play('OneTrack?tracks=v5,a1', again => 1), 'and then some that are');
like(words($c, 3), qr/^a0 aac config, a0 aac - /, 'only those');
$c->close();

# receiveAudio and receiveVideo of chosen tracks

$c = player('OneTrack?tracks=v1,a1');
take($c, 6);
$c->command_on($c->{msid}, 'receiveAudio', 0, undef, Test::RTMP::bool(0));
sleep(0.3);
say_all($one, 560 + $_ * 40, $form[0]->(14 + $_, $_ == 1)) for 0 .. 3;
like(body_list(qr/v/, take($c, 6)), qr/v0 avc key 115/,
    'receiveAudio off: the chosen video');
$c->command_on($c->{msid}, 'receiveAudio', 0, undef, Test::RTMP::bool(1));
ok($c->status('NetStream.Play.Start'), 'receiveAudio on');
say_all($one, 720 + $_ * 40, $form[0]->(18 + $_, $_ == 1)) for 0 .. 3;
like(body_list(qr/a/, take($c, 8)), qr/a0 aac - 3/, 'the chosen audio again');
$c->close();

# keyframes of another video stand elsewhere

$p = publisher('apart');
say_all($p, 0, @{$configs[0]});

for my $n (0 .. 47) {
    $p->video($n * 40, $n % 20 ? Test::RTMP::avc_inter($n)
        : Test::RTMP::avc_key($n));
    $p->video($n * 40, one_track('v', 3, 'avc1', 1, $n % 20 == 13
        ? key(100 + $n) : inter(100 + $n), $n % 20 == 13));
}

settle('apart', 47);

$c = player('apart?tracks=v1');
is(words($c, 4), 'v0 avc config, v0 avc key 133, v0 avc inter 134, '
    . 'v0 avc inter 135', 'a player starts at a keyframe of its own video');
$c->close();
$c = player('apart');
is(words($c, 4), 'v0 avc config, a0 aac config, v0 avc key 40, '
    . 'v0 avc inter 41', 'and others at the newest of the default one');
$_->close() for $p, $c;

# the API

$r = $t->api_get('/api/v1/streams/');
my ($stream) = grep { $_->{name} eq 'ManyTracksManyCodecs' }
    @{$r->{streams} || []};
$r = $t->api_get("/api/v1/streams/$stream->{id}");
is(join(', ', map { "$_->{track} $_->{name} $_->{type} $_->{codec}" }
    @{$r->{stream}{health}{tracks} || []}),
    '0 v0 video H264, 1 a0 audio AAC, 2 v1 video H264, 3 a1 audio Opus',
    'tracks in the API');

# a reload: the publisher stays where it is, players are elsewhere

my %old = map { $_ => 1 } $t->workers();
$t->reload();

ok(wait_until(sub { !grep { $old{$_} } $t->workers() }, 10), 'reload');

for my $n (1 .. 4) {
    $c = player('ManyTracksManyCodecs', %many);
    like(words($c, 16), qr/^v0\ avc\ config,\ a0\ aac\ config,
        \ \*v1\ avc1\ config,\ \*a1\ Opus\ config,.*\*v1\ avc1\ inter\ 112/x,
        "all tracks from a new worker, $n");
    $c->close();
}

###############################################################################

# broken ones, beside a healthy stream

my @pids = sort $t->workers();
my $healthy = publisher('healthy');

$healthy->video(0, Test::RTMP::avc_config());
$healthy->video(0, Test::RTMP::avc_key(0));

my $watch = player('healthy');
take($watch, 2);

my $whole = many_tracks('v', 1, 'avc1', 1, 0 => "\0\0\0" . key(1),
    1 => "\0\0\0" . key(101));
my $codecs = many_codecs('a', 1, 0, [ 'mp4a', 0, sound(1) ],
    [ 'Opus', 1, sound(2) ]);
my $chain = "\x97" . "\x02\x01\xe2\x40\x07" x 20000;

my %hostile = (
    'cut off everywhere' => sub {
        $_[0]->video(40, substr $whole, 0, $_) for 1 .. length($whole) - 1;
        $_[0]->audio(40, substr $codecs, 0, $_) for 1 .. length($codecs) - 1;
    },
    'tracks twice' => sub {
        $_[0]->video(40, many_tracks('v', 3, 'avc1', 1,
            map { (1, key($_)) } 1 .. 50));
        $_[0]->audio(40, many_codecs('a', 0, 0, map { ([ 'mp4a', 1, $asc ],
            [ 'Opus', 1, $config{Opus} ]) } 1 .. 50));
    },
    '256 tracks' => sub {
        $_[0]->video(40, many_tracks('v', 0, 'avc1', 1, map { $_ => $sps }
            0 .. 255));
        $_[0]->audio(40, many_tracks('a', 1, 'mp4a', 0, map { $_ => sound(1) }
            0 .. 255));
        $_[0]->audio(40, one_track('a', 1, 'mp4a', 255, sound(1)));
    },
    'ModEx without end' => sub {
        $_[0]->audio(40, $chain);
        $_[0]->video(40, "\x97" . "\xff\xff\xff" . 'x' x 65536 . "\x07" x 9);
        $_[0]->video(40, "\x97" . "\0\0\x17" x 50000);
        $_[0]->audio(40, "\x97\xff\xff");
    },
    'sizes of 0' => sub {
        $_[0]->video(40, many_tracks('v', 1, 'avc1', 1, map { $_ => '' }
            0 .. 6));
        $_[0]->audio(40, many_codecs('a', 0, 0, map { [ 'mp4a', $_, '' ] }
            0 .. 6));
        $_[0]->video(40, "\x96\x11avc1");
        $_[0]->video(40, "\x96");
    },
    'tracks inside of tracks' => sub {
        $_[0]->video(40, "\x96\x06avc1\0\0");
        $_[0]->video(40, "\x96\x17avc1\0\0\0\x01\0");
        $_[0]->video(40, "\x96\x31avc1\0\0\0\x01\0");
        $_[0]->audio(40, "\x95\x15mp4a\0\0\0\x01\0");
    },
    'many configurations' => sub {
        for my $n (1 .. 300) {
            $_[0]->audio(40, one_track('a', 0, 'mp4a', $n % 7,
                $asc . pack('n', $n)));
            $_[0]->audio(40, one_track('a', 4, 'mp4a', $n % 7,
                "\x01\x02" . pack('N', $n)));
            $_[0]->video(40, one_track('v', 0, 'avc1', $n % 7, $sps
                . pack('n', $n), 1));
        }
    },
);

my $n = 0;

for my $name (sort keys %hostile) {
    my $p = publisher("hostile$n");

    $p->set_chunk_size(60000);
    $p->video(0, ex('v', 0, 'avc1', $sps, 1));
    $p->video(0, ex('v', 3, 'avc1', key(0), 1));
    $p->audio(0, ex('a', 0, 'mp4a', $asc));
    $p->audio(0, ex('a', 1, 'mp4a', sound(7)));

    my @v = map { player("hostile$n$_", %many) } '', '?tracks=v1', '?tracks=a';

    $hostile{$name}->($p);

    $p->video(80, ex('v', 0, 'avc1', $sps, 1));
    $p->video(80, ex('v', 3, 'avc1', key(99), 1));

    my $m = $v[0]->expect(sub { $_[0]{type} == 9
        && (Test::RTMP::number($_[0]) // 0) == 99 });
    ok($m, "$name: the stream goes on");

    if ($name eq 'many configurations') {
        my $late = player("hostile$n", %many);

        is(words($late, 22), join(', ', 'v0 avc config', 'a0 aac config',
            map({; ("*v$_ avc1 config", "*a$_ mp4a config") } 1 .. 6),
            'a0 mp4a packet4', map({ "*a$_ mp4a packet4" } 1 .. 6),
            'v0 avc key 99'), 'a newcomer gets what holds of each');

        $late->close();
    }

    $_->close() for $p, @v;
    $n++;
}

my @lines = grep { /sent a track above 6/ }
    split /\n/, $t->read_file('error.log');
is(scalar @lines, 1, 'one line about too many tracks');

# a player can not make logs of the same stream without end

$p = publisher('wide');
$p->video(0, many_tracks('v', 0, 'avc1', 1, map { $_ => $sps } 0 .. 6));
$p->audio(0, many_tracks('a', 0, 'mp4a', 0, map { $_ => $asc } 0 .. 6));
$p->video(0, many_tracks('v', 3, 'avc1', 1, map { $_ => key($_) } 0 .. 6));
$p->audio(0, many_tracks('a', 1, 'mp4a', 0, map { $_ => sound($_) } 0 .. 6));

my ($full, @crowd) = (0);

for my $set (1 .. 280) {
    my $tracks = join ',', map { ('v', 'a')[$_ % 2] . (1 + int $_ / 2) }
        grep { $set >> $_ & 1 } 0 .. 9;
    my $c = client();

    $c->create_stream();
    $c->command_on($c->{msid}, 'play', 0, undef, "wide?tracks=$tracks");

    my $m = $c->expect(sub { (code_of($_[0]) =~ /Play\.(Start|Failed)/) });

    $full++ if $m && code_of($m) =~ /Failed/;
    push @crowd, $c;
}

cmp_ok($full, '>=', 280 - 4 * 64, "logs are bounded, $full of 280 refused");
$c = player('wide');
like(words($c, 4), qr/^v0 avc config, a0 aac config, v0 avc key 0/,
    'and others are served');

# all tracks have another configuration with each frame

for my $n (1 .. 60) {
    for my $id (0 .. 6) {
        $p->video($n * 40, one_track('v', 0, 'avc1', $id,
            $sps . pack('n', $n), 1));
        $p->audio($n * 40, one_track('a', 0, 'mp4a', $id,
            $asc . pack('n', $n)));
        $p->video($n * 40, one_track('v', 3, 'avc1', $id, $n % 5
            ? inter($n) : key($n), $n % 5 == 0));
        $p->audio($n * 40, one_track('a', 1, 'mp4a', $id, sound($n)));
    }
}

settle('wide', 60);

my $late = player('wide');
like(words($late, 4), qr/^v0 avc config, a0 aac config, v0 avc key 60/,
    'configurations that never rest');
$_->close() for @crowd, $c, $late, $p;

# nothing happened to the healthy one

$healthy->video($_ * 40, Test::RTMP::avc_inter($_)) for 1 .. 20;
is(words($watch, 20), join(', ', map { "v0 avc inter $_" } 1 .. 20),
    'a healthy stream');
is(join(' ', sort $t->workers()), "@pids", 'workers are the same');

$_->close() for $healthy, $watch, @live;

$t->stop();

done_testing();

###############################################################################

sub client {
    my (%props) = @_;

    return Test::RTMP->new($port)->connect('live', %props);
}

sub publisher {
    my ($name) = @_;

    my $p = client();
    $p->publish($name) or die "$name can not be published\n";

    return $p;
}

sub player {
    my ($name, %props) = @_;

    my $c = client(%props);
    $c->play($name, expect => 'nothing');

    return $c;
}

# all that was sent has arrived: number of the last video, or time of another

sub settle {
    my ($name, $number, $type, $ts) = @_;

    my $c = player($name);

    $c->expect(sub {
        return $ts ? $_[0]{type} == $type && $_[0]{ts} >= $ts
            : (Test::RTMP::number($_[0]) // -1) == $number;
    }, 5);

    $c->close();
}

sub say_all {
    my ($p, $ts, @bodies) = @_;

    for my $b (@bodies) {
        $b->[0] == 9 ? $p->video($ts, $b->[1]) : $p->audio($ts, $b->[1]);
    }
}

# up to so many media messages, without waiting for long

sub take {
    my ($c, $n) = @_;

    my @got;
    my $until = time() + 5;

    while (@got < $n && time() < $until) {
        my $m = $c->read_message(@got ? 1.5 : 5) or last;

        push @got, $m if $m->{type} == 8 || $m->{type} == 9;

        if ($m->{type} == 18 && $m->{body} =~ /onMetaData/) {
            $c->{seen_meta} = (Test::RTMP::amf0_read($m->{body}))[1];
        }
    }

    return @got;
}

sub words {
    my ($c, $n) = @_;
    return body_list(qr//, take($c, $n));
}

sub code_of {
    my ($m) = @_;
    my ($info) = grep { ref $_ eq 'HASH' } @{$m->{values} || []};

    return $info && $info->{code} || '';
}

###############################################################################
