#!/usr/bin/perl

# Copyright (C) the nginx media suite authors

# Recordings: frames that were published are the frames of the file, in each
# format, with their times; names of files; who is recorded and who is not;
# what hooks, events and metrics are told.

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use Test::Nginx;
use Test::Nginx::DVR;
use Test::Nginx::Hook;

use IO::Socket::INET;
use JSON::PP;
use Time::HiRes qw/ sleep time /;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http stream rtmp/)
    ->has_daemon('ffmpeg', 'ffprobe');

my $dir = $t->testdir();

$t->write_file_expand('nginx.conf', <<"END_OF_CONF");
%%TEST_GLOBALS%%
daemon off;
worker_processes %%WORKERS%%;
events { }

media {
    zone 128m;
    republish_wait 1s;
    dvr on;
    dvr_gap 0;
    dvr_path $dir/rec/[app]/[stream].flv;
    on_dvr http://127.0.0.1:8085/dvr;

    application flv { dvr_path $dir/rec/[vhost]/[app]/[stream].flv; }
    application mp4 { dvr_path $dir/rec/[app]/[2006]/[stream].[timestamp].mp4; }
    application ts { dvr_path $dir/rec/[app]/[stream]-[01][02].ts; }
    application prog { dvr_path $dir/rec/[app]/[stream].mp4;
                       dvr_mp4 progressive; }
    application same { dvr_path $dir/rec/same/x.flv; }
    application off { dvr off; }

    application some { dvr_apply some/a* */show?; }

    application told {
        dvr off;
        on_publish http://127.0.0.1:8085/told;
    }

    application untold { on_publish http://127.0.0.1:8085/untold; }
}

stream {
    server { listen 127.0.0.1:%%PORT_1935%%; rtmp { } }
}

http {
    %%TEST_GLOBALS_HTTP%%

    server {
        listen 127.0.0.1:8080;
        location /api/ { media_api; }
        location /metrics { media_metrics; }
        location /events { media_events; }
    }
}
END_OF_CONF

my $hook = Test::Nginx::Hook->new($t, port(8085));

$hook->answer('/told', body => '{"code":0,"data":{"record":true}}');
$hook->answer('/untold', body => '{"code":0,"data":{"record":false}}');

$t->run();

my $m = media($t, 'clip', seconds => 4, gop => 12);
my $sound = media($t, 'sound', seconds => 3, video => 0);
my $n = $#{$m->{frames}};

my ($first) = grep { $m->{frames}[$_]{type} == 9 } 0 .. $n;

my $listener = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
    PeerPort => port(8080)) or die;

print $listener "GET /events?event=record,recorded HTTP/1.0\r\n\r\n";

# each format

my $files = {
    'flv/x' => qr!^__defaultVhost__/flv/x\.flv$!,
    'mp4/x' => qr!^mp4/20\d\d/x\.\d{13}\.mp4$!,
    'ts/x' => qr!^ts/x-\d{4}\.ts$!,
    'prog/x' => qr!^prog/x\.mp4$!,
    'some/abc' => qr!^some/abc\.flv$!,
    'some/show1' => qr!^some/show1\.flv$!,
    'told/x' => qr!^told/x\.flv$!,
};

my $p = sender($t, $m, names => [ keys %$files, 'off/x', 'some/b',
    'some/show12', 'untold/x' ], burst => 1);
my $q = sender($t, $sound, names => [ 'flv/s', 'mp4/s', 'ts/s' ]);

ok($p->wait_sent(2500), 'publishing');
ok(wait_until(sub { -s "$dir/rec/told/x.flv" }, 5), 'on disk as it comes');

my $metrics = http_content(http_get('/metrics'));

like($metrics, qr/^nginx_media_record_active\{[^}]*app="flv",stream="x"\} 1$/m,
    'metrics: active');
like($metrics, qr/^nginx_media_record_active\{[^}]*app="off",stream="x"\} 0$/m,
    'metrics: not active');

my $sent = $p->end(whole => 1);
$q->end(whole => 1);

is($sent->{said}, '', 'all of them are published');

ok(wait_until(sub { $hook->requests('/dvr') >= 3 + keys %$files }, 10),
    'on_dvr of each file');
sleep 0.5;

my %told;

push @{$told{"$_->{json}{app}/$_->{json}{stream}"}}, $_->{json}
    for $hook->requests('/dvr');

is(scalar(grep { @$_ > 1 } values %told), 0, 'once');

my @all = map { substr $_, length "$dir/rec/" } recordings("$dir/rec");

is(scalar(@all), 3 + keys %$files, 'no other file') or diag("@all");

my %events;

for my $e (events()) {
    push @{$events{"$e->{app}/$e->{stream}"}{$e->{event}}}, $e;
}

$metrics = http_content(http_get('/metrics'));

for my $name (sort keys %$files) {
    my ($app, $stream) = split '/', $name;
    my ($file) = grep { $_ =~ $files->{$name} } @all;
    my $json = $told{$name}[0] || {};

    ok($file, "$name: its name") or next;

    my $r = recording($m, "$dir/rec/$file");
    my $size = -s "$dir/rec/$file";

    is($r->{fault}, '', "$name: frames in order and in time");
    is(lacks($m, [ $first, $n ], $r), '', "$name: all of them");
    is(plays("$dir/rec/$file"), '', "$name: plays");

    is($json->{action}, 'on_dvr', "$name: on_dvr");
    is($json->{file}, "$dir/rec/$file", "$name: on_dvr has its file");
    ok($json->{client_id}, "$name: on_dvr has a client");

    my ($begin, $end) = map { $events{$name}{$_}[0] } qw/ record recorded /;

    is(@{$events{$name}{record} || []} . @{$events{$name}{recorded} || []},
        '11', "$name: two events");
    is($begin->{file}, $file, "$name: record");
    is($begin->{state}, 'recording', "$name: record: state");
    is($end->{file}, $file, "$name: recorded");
    is($end->{state}, 'complete', "$name: recorded: state");
    is($end->{bytes}, $size, "$name: recorded: bytes");
    is($end->{format}, $file =~ /(\w+)$/ ? $1 : '', "$name: format");
    is($end->{begin}, $begin->{begin}, "$name: the same begin");
    cmp_ok(abs($end->{duration} - 4000), '<', 120, "$name: duration");
    is($end->{end} - $end->{begin}, $end->{duration}, "$name: end");
    cmp_ok(abs($end->{begin} / 1000 - time()), '<', 60, "$name: begin");

    like($metrics, qr/^nginx_media_record_files_total\{[^}]*app="$app",
        stream="$stream"\}\s1$/mx, "$name: metrics: files");
    like($metrics, qr/^nginx_media_record_lost_frames_total\{[^}]*app="$app",
        stream="$stream"\}\s0$/mx, "$name: metrics: nothing is lost");
    like($metrics, qr/^nginx_media_record_bytes_total\{[^}]*app="$app",
        stream="$stream"\}\s[1-9]\d+$/mx, "$name: metrics: bytes");
}

is(boxes("$dir/rec/prog/x.mp4"), 'ftyp moov mdat', 'progressive');
like(boxes("$dir/rec/" . (grep { m!^mp4/.*/x! } @all)[0]),
    qr/^ftyp moov( moof mdat)+$/, 'fragmented');

for my $name (qw/ flv mp4 ts /) {
    my ($file) = grep { m!^(__defaultVhost__/)?$name/.*\bs\b! } @all;
    my $r = recording($sound, "$dir/rec/$file");

    is($r->{fault}, '', "$name: only sound");
    is(lacks($sound, [ 0, $#{$sound->{frames}} ], $r), '',
        "$name: all of the sound");
    is(plays("$dir/rec/$file"), '', "$name: sound plays");
}

# two streams at once whose files have one name, and one that has been there;
# a publisher who says nothing

$p = sender($t, $m, names => [ 'same/a', 'same/b' ], to => 60);
$p->end(whole => 1);

my $mute = Test::RTMP->new(port(1935))->connect('flv');
$mute->publish('mute');
$mute->close();

ok(wait_until(sub { $hook->requests('/dvr') >= 5 + keys %$files }, 10),
    'two more files');

$p = sender($t, $m, names => [ 'same/a' ], to => 60);
$p->end(whole => 1);

ok(wait_until(sub { $hook->requests('/dvr') >= 6 + keys %$files }, 10),
    'and one');

is(join(' ', map { substr $_, length "$dir/rec/same/" }
    recordings("$dir/rec/same")), 'x-1.flv x-2.flv x.flv', 'their names');
is(scalar(grep { recording($m, $_)->{fault} } recordings("$dir/rec/same")), 0,
    'each with frames of its own');
ok(!-e "$dir/rec/__defaultVhost__/flv/mute.flv", 'nothing of nothing');

my @open = glob("$dir/rec/.dvr/open/*");

is("@open", '', 'no journals are left');

my $log = $t->read_file('error.log');

like($log, qr!"flv/x" is recorded to "\Q$dir\E/rec/__def\S+/flv/x\.flv"!,
    'the log says where');
like($log, qr!flv/x\.flv" is recorded, \d+ ms of "flv/x", \d+ bytes!,
    'and when it is whole');
unlike($log, qr/can not be (made|written|finished)/, 'no errors');

###############################################################################

sub boxes {
    my ($file) = @_;

    my ($pos, $head, @boxes) = (0);

    open my $fh, '<:raw', $file or return $!;

    while (read($fh, $head, 8) == 8) {
        my ($n, $type) = unpack 'Na4', $head;
        push @boxes, $type;
        seek $fh, $pos += $n, 0 if $n >= 8;
    }

    return join ' ', @boxes;
}

sub events {
    my $text = '';

    while (IO::Select->new($listener)->can_read(0.2)) {
        sysread($listener, $text, 65536, length $text) or last;
    }

    return map { decode_json($_) } $text =~ /^data: ?(\{.*\})$/mg;
}

###############################################################################

done_testing();
