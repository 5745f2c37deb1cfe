#!/usr/bin/perl

# Copyright (C) the nginx media suite authors

# The archive of recordings: what is on disk is listed, whatever it is; lists
# of many are made in no time and nobody waits for them; dvr_keep by age and by
# size, also for streams that nobody publishes; damage hides nothing else and
# leads nowhere.

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use Test::Nginx;
use Test::RTMP;

use Digest::MD5 qw/ md5_hex /;
use File::Path qw/ make_path /;
use POSIX qw/ strftime /;
use Time::HiRes qw/ time sleep /;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http stream rtmp flv_live/);

my $dir = $t->testdir();
my $slow = $Test::Nginx::NGINX ne '/usr/sbin/nginx';
my $many = 10000;

$t->write_file_expand('nginx.conf', <<"EOF_CONF");

%%TEST_GLOBALS%%

daemon off;

worker_processes 1;

events {
}

media {
    zone 64m;
    dvr_gap 0;

    dvr_path $dir/rec/[app]/[stream].[timestamp].flv;

    application age {
        dvr_keep 1d;
    }

    application size {
        dvr_keep size=1000;
    }

    application both {
        dvr_keep 1d size=1500;
    }

    application away {
        dvr_path $dir/away/[stream].[timestamp].flv;
        dvr_keep 1s;
    }

    application live {
        dvr on;
        dvr_keep size=25000;
    }
}

stream {
    server {
        listen %%PORT_1935%%;
        rtmp { }
    }
}

http {
    %%TEST_GLOBALS_HTTP%%

    server {
        listen       127.0.0.1:8080;
        server_name  localhost;

        location /api/ {
            media_api write;
        }

        location / {
            flv_live;
        }
    }
}

EOF_CONF

###############################################################################

# what lies there before

my $now = int time();
my $list = '/api/v1/recordings/';
my %id;

make_path("$dir/rec/.dvr", "$dir/rec/many", "$dir/away");

# many, of one stream, over some days, on disk in no order

{
    my $md5 = stream('many', 'x');
    my %day;

    for my $n (0 .. $many - 1) {
        my $at = ($now - 86400 * 3) * 1000 + $n * 25000;
        my $line = sprintf "%s\t%d\t%d\t24000\t%d\tflv\tmany/x.%d.flv\n",
            id($at, $md5), $at, $at + 24000, 1000 + $n, $n;
        push @{$day{day($at)}}, $line;
    }

    for my $d (keys %day) {
        my @lines = @{$day{$d}};
        @lines[0, -1] = @lines[-1, 0] if @lines > 1;
        $t->write_file("rec/.dvr/$md5/$d", join '', @lines);
    }
}

# files of dvr_keep: age in s, size

entry('age', 's', 3 * 86400, 100);
entry('age', 's', 2 * 86400, 100);
entry('age', 's', 3600, 100);
entry('size', 's', 500, 700);
entry('size', 's', 400, 200);
entry('size', 's', 300, 300);
entry('size', 's', 200, 400);
entry('size', 'large', 200, 5000);
entry('size', 'large', 100, 6000);
entry('both', 's', 2 * 86400, 10);
entry('both', 's', 500, 800);
entry('both', 's', 400, 800);
entry('both', 's', 300, 700);
entry('none', 's', 86400 * 300, 100);

# an older day that is none keeps nothing from going

make_path("$dir/rec/.dvr/" . stream('age', 's', 1) . '/20200101');

# of an application that records elsewhere now

entry('away', 's', 3600, 100);

# without a file, and another one in its place

entry('gone', 's', 3600, 100);
unlink "$dir/rec/gone/s.3600.flv";
entry('gone', 'again', 3600, 100);
$t->write_file('rec/gone/again.3600.flv', 'x' x 5000);

# names

my @names = ("a b", "\xe4\xbd\xa0\xe5\xa5\xbd", '50%25', 'x' x 200, '<img>"',
    "\xff\xfe");
entry('names', $_, 3600, 100) for @names;

# damage

my $bad = stream('bad', 's');
my $at = $now * 1000;
my $secret = "$dir/secret";

$t->write_file('secret', 'x' x 100);
symlink $dir, "$dir/rec/bad";
entry_line($bad, $at - 1000, 'bad/s.flv', 100);

$t->write_file("rec/.dvr/$bad/" . day($at), join("\n", 'x', '', "\0" x 5000,
    line($bad, $at - 9000, '../secret', 100),
    line($bad, $at - 8000, 'bad/secret', 100),
    line($bad, $at - 7000, '.dvr/names', 100),
    line($bad, $at - 6000, "$dir/secret", 100),
    line($bad, $at - 5000, 'fine/s.flv', 100),
    "a" x 100000, line($bad, $at - 4000, 'fine/torn.flv', 100)));

make_path("$dir/rec/fine");
$t->write_file('rec/fine/s.flv', 'x' x 100);

# directories that are none of a stream

make_path(map { "$dir/rec/.dvr/$_" } 'x', 'queue', 'a' x 32, 'b' x 31);
$t->write_file('rec/.dvr/' . 'c' x 32, '');
symlink "$dir", "$dir/rec/.dvr/" . 'd' x 32;
make_path("$dir/rec/.dvr/" . 'e' x 32);
$t->write_file('rec/.dvr/' . 'e' x 32 . '/names', "a\nb\nc\n");

own("$dir/rec", "$dir/away");

my $started = time();

$t->run();

###############################################################################

# a player whose frames go on while lists are made

my $pub = Test::RTMP->new(port(1935))->connect('none');
$pub->publish('live');
$pub->video(0, Test::RTMP::avc_config());
$pub->video(0, Test::RTMP::avc_key(0));

my $player = http_start("GET /none/live.flv HTTP/1.0\r\n\r\n");
ok(IO::Select->new($player)->can_read(5), 'player');

is(total('app=many'), $many, 'all are counted');

my ($max, @took) = (0);
my $n = 1;

for my $query ('', 'app=many', 'app=many&count=10000',
    'app=many&start=9990', 'app=many&stream=x&vhost=__defaultVhost__&count=100',
    "from=" . ($at - 3600000))
{
    my $begun = time();
    my $s = http_start("GET $list?$query HTTP/1.0\r\n\r\n");
    my $text = '';
    my $end;

    # a frame each 10 ms, and when it comes

    while (time() - $begun < 5) {
        my $sent = time();
        $pub->video($n * 10, $n % 50 ? Test::RTMP::avc_inter($n)
            : Test::RTMP::avc_key($n));
        $n++;

        if (IO::Select->new($player)->can_read(1)) {
            sysread $player, my $data, 1 << 20;
            my $gap = time() - $sent;
            $max = $gap if $gap > $max;
        }

        my $left = 0.01 - (time() - $sent);

        while (IO::Select->new($s)->can_read($left > 0 ? $left : 0)) {
            last if !sysread $s, $text, 1 << 20, length $text and $end = time();
            $left = 0;
        }

        last if $end;
    }

    my $took = (($end || time()) - $begun) * 1000;
    push @took, sprintf '%d', $took;

    like($text, qr/"total":\d+\}$/, "list of $query")
        or diag(substr $text, 0, 300);
    cmp_ok($took, '<', ($slow ? 3000 : 200) * ($query =~ /=10000/ ? 5 : 1),
        'in time');
}

# a machine that is busy with something else is so for both

my ($longest) = sort { $b <=> $a } @took;
my $bound = $slow ? 500 : 50;

cmp_ok($max * 1000, '<', $longest / 2 > $bound ? $longest / 2 : $bound,
    'and the player goes on');
diag(sprintf 'lists took %s ms, a frame at most %d ms', "@took", $max * 1000)
    if $ENV{TEST_NGINX_VERBOSE};

# pages

my @all = map { $_->{id} } recs('app=many&count=10000');
is(scalar @all, $many, 'one page');
is(join(' ', @all), join(' ', sort { $b cmp $a } @all), 'newest first');
is(join(' ', map { $_->{id} } recs('app=many&start=17&count=3')),
    join(' ', @all[17 .. 19]), 'a page in the middle');
is(join(' ', map { $_->{id} } recs("app=many&start=@{[$many - 2]}&count=9")),
    join(' ', @all[-2, -1]), 'the last page');
is(scalar recs("app=many&start=$many"), undef, 'no page behind it');

my ($r) = recs('app=many&start=5000&count=1');
is_deeply([ map { $_->{id} } recs("app=many&from=$r->{begin}&to=$r->{begin}") ],
    [ $r->{id} ], 'a time');
is(total("app=many&from=@{[$r->{end} + 1]}"), 5000, 'from a time');
is(total("app=many&to=@{[$r->{begin} - 1]}"), $many - 5001, 'to a time');

# many at once, whose clients go

my @at = map { http_start("GET $list?count=1000&start=$_ HTTP/1.1\r\n"
    . "Host: localhost\r\n\r\n") } 1 .. 30;
close $_ for @at[0 .. 19];
ok(!grep({ http_end($_, limit => 20) !~ /^HTTP\/1.1 200/ } @at[20 .. 29]),
    'many lists at once');

# names

is(total('app=names'), scalar @names, 'names');

for my $name (@names) {
    (my $q = $name) =~ s/([^\w])/sprintf '%%%02x', ord $1/ge;
    ($r) = recs("app=names&stream=$q");
    is($r->{state}, 'complete', "found: $q");
}

is((recs('app=names&stream=50%2525'))[0]{url},
    '/names/50%2525.rec.' . (recs('app=names&stream=50%2525'))[0]{id} . '.flv',
    'url');

# damage

is(join(' ', map { "$_->{file} $_->{state}" } recs('app=bad')),
    'fine/s.flv complete bad/secret broken', 'what is whole of a damaged file');
is($t->api_get($list . id($at - 9000, $bad))->{code}, 2050, 'nothing above');
is($t->api_request('DELETE', $list . id($at - 9000, $bad))->{code}, 2050,
    'nor deleted');
is($t->api_request('DELETE', $list . id($at - 8000, $bad))->{code}, 0,
    'an entry through a symbolic link');
is(-s $secret, 100, 'leads nowhere');

# the sweep, some seconds after nginx has started

is(total('app=gone'), 2, 'without a file') if time() - $started < 9;

ok(wait_until(sub { total('app=age') == 1 && total('app=size') == 4
    && total('app=both') == 2 && total('app=gone') == 0 }, 20), 'swept')
    or diag(join ' ', map { "$_ " . total("app=$_") } qw/ age size both gone /);

is(files('age'), 's.3600.flv', 'by age');
is(files('size'), 'large.100.flv s.200.flv s.300.flv s.400.flv', 'by size');
is(files('both'), 's.300.flv s.400.flv', 'by both');
is(files('none'), 's.25920000.flv', 'for ever');
is(files('away'), 's.3600.flv', 'of an application that went');
is(files('gone'), 'again.3600.flv', 'a file of another recording stays');
is(total('app=many'), 0, 'entries without files go');
ok(!-e "$dir/rec/.dvr/" . stream('many', 'x', 1) . '/' . day($at),
    'and their days');
is(-s $secret, 100, 'nothing else was deleted');

# real ones: by size after each file

for my $n (1 .. 4) {
    my $s = Test::RTMP->new(port(1935))->connect('live');
    $s->publish('real');
    $s->video(0, Test::RTMP::avc_config());
    $s->video($_ * 40, $_ % 10 ? Test::RTMP::avc_inter($_, 200)
        : Test::RTMP::avc_key($_, 200)) for 0 .. 9;
    ok(wait_until(sub { grep { $_->{state} eq 'recording' }
        recs('app=live') }, 5), "recording $n");
    $s->close();
    ok(wait_until(sub { recs('app=live') && !grep { $_->{state} ne 'complete' }
        recs('app=live') }, 5), "is whole");
}

my ($bytes, @real);

ok(wait_until(sub {
    @real = recs('app=live');
    $bytes = 0;
    $bytes += $_->{bytes} for @real;
    return $bytes <= 25000
        && files('live') eq join ' ', sort map { substr $_->{file}, 5 } @real;
}, 8), 'by size, and files are those that are listed')
    or diag("$bytes: " . files('live'));

cmp_ok(scalar @real, '<', 4, 'the oldest ones went');
cmp_ok(scalar @real, '>', 0, 'the newest one did not');
is(scalar @{[glob "$dir/rec/.dvr/" . stream('live', 'real', 1) . '/*.idx']},
    scalar @real, 'so are indexes');

# a line that a crash tore is mended by the next one

my $md5 = stream('live', 'real', 1);
my ($day) = sort { $b cmp $a } glob "$dir/rec/.dvr/$md5/2*";

open my $fh, '>>', $day or die "$day: $!\n";
print $fh substr line($md5, $at, 'live/real.torn.flv', 10), 0, 40;
close $fh;

my $newest = (recs('app=live'))[0]{id};
my $s = Test::RTMP->new(port(1935))->connect('live');
$s->publish('real');
$s->video(0, Test::RTMP::avc_config());
$s->video($_ * 40, Test::RTMP::avc_key($_, 20)) for 0 .. 3;
wait_until(sub { grep { $_->{state} eq 'recording' } recs('app=live') }, 5);
$s->close();
ok(wait_until(sub {
    my ($r) = recs('app=live');
    return $r->{id} gt $newest && $r->{state} eq 'complete';
}, 8), 'one more');

my ($text) = map { local $/; open my $f, '<', $_ or die; <$f> }
    (sort { $b cmp $a } glob "$dir/rec/.dvr/$md5/2*")[0];
ok(!grep({ !/^[0-9a-f]{16}\t\d+\t\d+\t\d+\t\d+\tflv\tlive\/real\.\d+\.flv$/ }
    split /\n/, $text), 'whole lines') or diag($text);
like($text, qr/\n\z/, 'to the end');

$t->stop();

done_testing();

###############################################################################

sub id {
    my ($at, $md5) = @_;
    return sprintf '%011x%s', $at, substr $md5, 0, 5;
}

sub day { return strftime('%Y%m%d', gmtime(int($_[0] / 1000))) }

sub line {
    my ($md5, $at, $file, $size) = @_;

    $file =~ s/([\x00- %\x7f])/sprintf '%%%02x', ord $1/ge;
    return join("\t", id($at, $md5), $at, $at + 1000, 1000, $size, 'flv',
        $file);
}

sub entry_line {
    my ($md5, $at, $file, $size) = @_;

    my $name = "$dir/rec/.dvr/$md5/" . day($at);
    open my $fh, '>>', $name or die "$name: $!\n";
    print $fh line($md5, $at, $file, $size) . "\n";
    close $fh;
}

# the directory of a stream

sub stream {
    my ($app, $stream, $only) = @_;

    my $md5 = md5_hex("__defaultVhost__/$app/$stream");
    return $md5 if $only;

    make_path("$dir/rec/.dvr/$md5");
    s/([\x00- %\x7f])/sprintf '%%%02x', ord $1/ge for $app, $stream;
    $t->write_file("rec/.dvr/$md5/names", "__defaultVhost__\n$app\n$stream\n");

    return $md5;
}

# a recording that ended so many seconds ago

sub entry {
    my ($app, $stream, $age, $size) = @_;

    my $md5 = stream($app, $stream);
    my $at = ($now - $age) * 1000 - 1000;
    my $file = "$app/" . ($stream =~ /^x{200}|\xff/ ? substr $stream, 0, 50
        : $stream) . ".$age.flv";

    make_path("$dir/rec/$app");
    $t->write_file("rec/$file", 'x' x $size);
    entry_line($md5, $at, $file, $size);
}

sub own {
    return if $> != 0;
    my ($uid, $gid) = (getpwnam 'www-data')[2, 3];

    require File::Find;
    File::Find::find({ no_chdir => 1, wanted => sub {
        chown $uid, $gid, $_ unless -l $_;
    } }, @_);
}

sub files {
    my ($app) = @_;

    opendir my $d, "$dir/rec/$app" or return '';
    return join ' ', sort grep { !/^\./ } readdir $d;
}

sub recs {
    my ($query) = @_;

    my $r = $t->api_get("$list?$query");
    my @r = @{$r->{recordings} || []};

    return wantarray ? @r : $r[0];
}

sub total {
    my ($query) = @_;
    return $t->api_get("$list?$query")->{total};
}

###############################################################################
