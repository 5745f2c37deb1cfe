#!/usr/bin/perl

# Copyright (C) the nginx media suite authors

# The description of the API: it is a valid document, it is served as it is in
# the tree, it has every route of the sources and no other, and every answer
# of a server that is in use is as it says, to the last field.

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use Test::Nginx;
use Test::Nginx::Schema;
use Test::RTMP;

use File::Copy qw/ copy /;
use File::Path qw/ make_path /;
use JSON::PP;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http stream rtmp flv_live hls/)
    ->has('threads')->has_daemon('ffmpeg');

$t->write_file_expand('nginx.conf', <<'EOF_CONF');

%%TEST_GLOBALS%%

daemon off;

worker_processes %%WORKERS%%;

events {
}

media {
    zone 64m;
    idle_timeout 60s;
    republish_wait 1s;
    hls_fragment 1s;
    hls_session on;
    vhost other.example.com { hls off; }
    application rec {
        dvr on;
        dvr_gap 0s;
        dvr_path %%TESTDIR%%/dvr/[app]/[stream].[timestamp].flv;
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

        location / {
            flv_live;
            hls;
        }

        location /push/ {
            flv_live_push on;
        }
    }

    server {
        listen       127.0.0.1:8081;
        server_name  localhost;

        location / {
            media_api write;
        }

        location = /metrics {
            media_metrics;
        }

        location = /events {
            media_events;
        }
    }
}

EOF_CONF

###############################################################################

# the document

my $text = slurp('../docs/openapi.json');
my $doc = eval { JSON::PP->new()->utf8()->decode($text) };

ok($doc, 'JSON') or BAIL_OUT("docs/openapi.json: $@");

my $schema = Test::Nginx::Schema->new($doc);

like($doc->{openapi}, qr/^3\.1\.\d+$/, 'OpenAPI 3.1');
is(validator('../docs/openapi.json'), '', 'valid, says a validator')
    if grep { -x "$_/npm" } split /:/, $ENV{PATH};

my (%refs, @faults, %ids, %used);

walk($doc, sub {
    my ($node, $at) = @_;

    if (defined(my $ref = $node->{'$ref'})) {
        $refs{$ref}++;
        push @faults, "$at: $@" unless eval { $schema->resolve($ref); 1 };
    }

    return unless ($node->{type} // '') eq 'object'
        || ref $node->{type} eq 'ARRAY'
            && grep({ $_ eq 'object' } @{$node->{type}});

    push @faults, "$at: says not what else may be in it"
        unless defined $node->{additionalProperties}
            || $at =~ m!/openapi\.json/!;

    push @faults, map { "$at: $_ is required and not described" }
        grep { !exists $node->{properties}{$_} } @{$node->{required} || []};
}, '#');

for my $kind (sort keys %{$doc->{components}}) {
    next if $kind eq 'securitySchemes';

    push @faults, map { "$kind: nothing refers to $_" }
        grep { !$refs{"#/components/$kind/$_"} && $_ ne 'Event' }
        sort keys %{$doc->{components}{$kind}};
}

for my $path (sort keys %{$doc->{paths}}) {
    for my $method (sort keys %{$doc->{paths}{$path}}) {
        my $op = $doc->{paths}{$path}{$method};
        my @params = map { $schema->follow($_) } @{$op->{parameters} || []};

        push @faults, "$path: $method: operationId"
            if $ids{$op->{operationId} // ''}++;

        my $in = join ' ', map { $_->{name} }
            grep { $_->{in} eq 'path' } @params;
        my $of = join ' ', $path =~ /\{(\w+)\}/g;

        push @faults, "$path: $method: parameters in the path: $in"
            if $in ne $of;

        push @faults, map { "$path: $method: unknown tag $_" }
            grep { my $tag = $_; !grep { $_->{name} eq $tag }
                @{$doc->{tags}} } @{$op->{tags}};
    }
}

is(join("\n", @faults), '', 'nothing hangs in the air');

# what the description has, those who read prose find as well

my $prose = join '', map { slurp("../docs/$_.md") } qw/ api events access dvr /;
my %word;

walk($doc, sub {
    my ($node) = @_;

    my $fields = $node->{properties};

    @word{keys %$fields} = () if ref $fields eq 'HASH';
    $word{$node->{name}} = 1 if $node->{in};
}, '#');

is(join(' ', grep { $prose !~ /\b\Q$_\E\b/ } sort keys %word), '',
    'fields and arguments stand in docs/');

###############################################################################

# routes of the sources

my $source = slurp('../shared/service/ngx_media_api_module.c');
my ($table) = $source =~ /\bngx_media_api_routes\[\] = \{\n(.*?)^\};/ms
    or BAIL_OUT('no table of routes');
my %there;

while ($table =~ /\{\s*ngx_string\("([^"]+)"\),\s*([^,]+),\s*(\w+),\s*(\w+),
    \s*(\w+),/gx)
{
    my ($path, $flags, $get, $remove, $post) = ($1, $2, $3, $4, $5);
    my $one = $flags =~ /_API_ID\b/ ? "$path\{id}" : $path;

    $there{"GET $path"} = $there{"GET $one"} = 1;
    $there{"DELETE $one"} = 1 if $remove ne 'NULL';

    next if $post eq 'NULL';

    my $to = $flags =~ /_API_LIST\b/ ? $path : $one;
    my ($list) = $source =~ /\b\Q$post\E\[\] = \{\n(.*?)^\};/ms
        or die "no table $post\n";

    $there{"POST $to"} = join ' ', sort $list =~ /ngx_string\("(\w+)"\)/g;
}

my %told;

for my $path (grep { !m!^/(metrics|events)$! } keys %{$doc->{paths}}) {
    for my $method (keys %{$doc->{paths}{$path}}) {
        my ($action) = grep { $_->{name} eq 'action' }
            map { $schema->follow($_) }
            @{$doc->{paths}{$path}{$method}{parameters} || []};

        $told{uc($method) . " $path"} = $action
            ? join ' ', sort @{$action->{schema}{enum}} : 1;
    }
}

cmp_ok(scalar keys %there, '>', 20, 'routes found');
is_deeply(\%told, \%there, 'every route, and no other');

# arguments that the sources ask for

my %argument = map { $_->{name} => 1 } grep { $_->{in} eq 'query' }
    map { $schema->follow($_) } map { @{$_->{parameters} || []} }
    map { values %$_ } values %{$doc->{paths}};

for my $file (glob('../shared/service/ngx_media_api_*.c'
    . ' ../shared/service/ngx_media_record_api.c'))
{
    my @names = slurp($file) =~ /\b(?:ngx_http_arg|ngx_media_api_arg\w*
        |ngx_media_record_(?:arg|time))\(
        [^"();]*(?:\(u_char\ \*\))?\s*"(\w+)"/gx;

    push @faults, map { "$file: $_" }
        grep { !$argument{$_} && $_ ne 'method' } @names;
    $used{argument} += @names;
}

cmp_ok(delete $used{argument}, '>', 5, 'arguments found');
is(join("\n", @faults), '', 'every argument');

# enums that are tables of the sources

my $session = slurp('../shared/core/ngx_media_session.c');
my ($types) = $session =~ /ngx_media_client_type_name\(.*?\{(.*?)\};/s;
my %type = map { $_ => 1 } $types =~ /"([\w-]+)"/g;

is(join(' ', grep { !$type{$_} }
    @{$doc->{components}{schemas}{ClientType}{enum}}), '',
    'types of clients exist');

my ($names) = slurp('../shared/service/ngx_media_event.c')
    =~ /ngx_media_event_names\[\] = \{(.*?)\};/s;
my ($kinds) = map { $_->{schema}{items}{enum} }
    grep { $_->{name} eq 'event' }
    @{$doc->{paths}{'/events'}{get}{parameters}};

is(join(' ', sort @$kinds), join(' ', sort $names =~ /"(\w+)"/g),
    'events');

###############################################################################

# a server in use

$t->run();

my $events = http_start("GET /events HTTP/1.0\r\n\r\n", port => 8081);

answer('GET', '/api/v1/streams/', '/api/v1/streams/');
answer('GET', '/api/v1/clients/', '/api/v1/clients/');

my $rtmp = 'rtmp://127.0.0.1:' . port(1935);
my $ffmpeg = $t->publish("$rtmp/live/one");
my $audio = $t->publish("$rtmp/live/sound", codecs => [qw/ -vn -c:a aac /]);

my $push = http_start("POST /push/live/pushed.flv HTTP/1.1\r\n"
    . "Host: other.example.com\r\nTransfer-Encoding: chunked\r\n\r\n");
my $flv = "FLV\x01\x01\0\0\0\x09\0\0\0\0";
printf $push "%x\r\n%s\r\n", length $flv, $flv;

my $over = Test::RTMP->new(port(1935))->connect('live');
$over->publish('over');
$over->video(0, Test::RTMP::avc_config());
$over->video(0, Test::RTMP::avc_key(1));

ok(wait_until(sub {
    my $s = get('/api/v1/streams/');
    return 4 == grep { $_->{publish}{active} } @{$s->{streams}};
}, 20), 'published') or diag(http_content(http_get('/api/v1/streams/',
    port => 8081)));

my @players = map { http_start("GET /live/one.flv HTTP/1.0\r\n\r\n") } 1 .. 3;
my $player = Test::RTMP->new(port(1935))->connect('live');
$player->play('one');

ok(wait_until(sub {
    my $list = http_content(http_get('/live/one.m3u8'));
    my ($next) = $list =~ /^([^#]\S+\.m3u8\S*)$/m;

    if (defined $next) {
        $next = "/live/$next" unless $next =~ m!^/!;
        http_get($next);
    }

    return grep { $_->{hls} && $_->{hls}{viewers} }
        @{get('/api/v1/streams/')->{streams}};
}, 20), 'a viewer of HLS');

$over->close();

# one that is recorded, twice

my @recorded = map { recorded($_) } 1 .. 2;
(shift @recorded)->close();

my $streams = {};

ok(wait_until(sub {
    $streams = { map { $_->{name} => $_ }
        @{get('/api/v1/streams/')->{streams}} };
    return $streams->{over} && !$streams->{over}{publish}{active}
        && $streams->{one}{video} && $streams->{sound}{audio};
}, 20), 'a stream without a publisher, and one without pictures');

sleep 2;

# everything that only reads

my $v1 = '/api/v1';

answer('GET', $_, $_) for '/', '/api/', "$v1/", "$v1/openapi.json",
    map { "$v1/$_" } qw! versions summaries rusages self_proc_stats
    system_proc_stats meminfos authors features requests vhosts/ streams/
    clients/ relays recordings/ raw tests/requests tests/errors !;

answer('GET', "$v1/raw", "$v1/raw?rpc=raw");
answer('GET', "$v1/streams/", "$v1/streams/?start=1&count=2");
answer('GET', "$v1/clients/", "$v1/clients/?start=1&count=10000");
answer('GET', "$v1/streams/{id}", "$v1/streams/$_->{id}")
    for values %$streams;
answer('GET', "$v1/streams/{id}", "$v1/streams/none");
answer('GET', "$v1/vhosts/{id}", "$v1/vhosts/$_->{id}")
    for @{get("$v1/vhosts/")->{vhosts}};
answer('GET', "$v1/vhosts/{id}", "$v1/vhosts/none");

my @clients = @{get("$v1/clients/?count=100")->{clients}};
my %kind = map { $_->{type} => 1 } @clients;

is(join(' ', sort keys %kind), 'flash-publish flv-play flv-publish fmle-publish'
    . ' hls-play rtmp-play', 'clients of all types');

answer('GET', "$v1/clients/{id}", "$v1/clients/$_->{id}") for @clients;
answer('GET', "$v1/clients/{id}", "$v1/clients/none");
answer('GET', "$v1/tests/redirects", "$v1/tests/redirects");
answer('GET', '/metrics', '/metrics');

# recordings: one that is whole, one that is being written

my $list = "$v1/recordings/";
my %state = map { $_->{state} => $_ } @{get($list)->{recordings}};

is(join(' ', sort keys %state), 'complete recording', 'recordings');
ok(get("$v1/streams/?count=100")->{streams}[-1]{record}, 'of a stream');

answer('GET', $list, "$list?vhost=__defaultVhost__&app=rec&stream=show1"
    . '&from=1&to=9999999999999&start=0&count=1');
answer('GET', $list, "$list?from=x");
answer('GET', "$list\{id}", "$list$_->{id}") for values %state;
answer('GET', "$list\{id}", "${list}none");

# with callback, good and bad

for my $path (grep { $doc->{paths}{$_}{get} && !m!^/(metrics|events)$! }
    sort keys %{$doc->{paths}})
{
    (my $uri = $path) =~ s/\{id\}/none/;
    answer('GET', $path, "$uri?callback=a.b");
    answer('GET', $path, "$uri?callback=a(b");
}

# what changes something

my ($kick) = grep { $_->{type} eq 'flv-play' } @clients;
my $one = "$v1/streams/$streams->{one}{id}";

answer('DELETE', "$v1/clients/{id}", "$v1/clients/$kick->{id}?ban=x");
answer('DELETE', "$v1/clients/{id}", "$v1/clients/none");
answer('DELETE', "$v1/clients/{id}", "$v1/clients/$kick->{id}?callback=a(");
answer('DELETE', "$v1/clients/{id}", "$v1/clients/$kick->{id}",
    'Origin: http://example.com');
answer('DELETE', "$v1/clients/{id}", "$v1/clients/$kick->{id}");

answer('POST', "$v1/streams/{id}", "$v1/streams/none?action=republish");
answer('POST', "$v1/streams/{id}", "$one?action=none");
answer('POST', "$v1/streams/{id}", $one);
answer('POST', "$v1/streams/{id}", "$one?action=republish",
    'Origin: http://example.com');
answer('POST', "$v1/streams/{id}", "$one?action=republish");

my $switch = "action=record&switch";

answer('POST', "$v1/streams/{id}", "$one?$switch=auto");
answer('POST', "$v1/streams/{id}", "$one?$switch=on");
answer('POST', "$v1/streams/{id}", "$one?$switch=x");
answer('POST', $list, "$list?$switch=off&app=rec&stream=show3");
answer('POST', $list, "$list?$switch=on&app=live&stream=show3");
answer('POST', $list, "$list?$switch=off&app=rec");
answer('POST', $list, "$list?action=none");
answer('POST', $list, $list);
answer('POST', $list, "$list?$switch=off&app=rec&stream=show3",
    'Origin: http://example.com');

answer('DELETE', "$list\{id}", "${list}none");
answer('DELETE', "$list\{id}", "${list}none?callback=a(");
answer('DELETE', "$list\{id}", "$list$state{recording}{id}");
answer('DELETE', "$list\{id}", "$list$state{complete}{id}",
    'Origin: http://example.com');
answer('DELETE', "$list\{id}", "$list$state{complete}{id}");

# what media_metrics and media_events refuse

answer('POST', '/metrics', '/metrics', undef, 'get');
answer('GET', '/events', '/events?event=none');
answer('POST', '/events', '/events', undef, 'get');

# events

$_->close() for @players;
$player->close();
sleep 6;

my $stream = http_end($events, timeout => 1);
my %seen;

like($stream, qr!^Content-Type: text/event-stream\r$!m, 'events, type');
$used{'GET /events 200'} = 1;
@faults = ();

for my $message (split /\n\n/, $stream) {
    my ($data) = $message =~ /^data: (.*)$/m or next;
    my $event = eval { decode_json($data) };

    $seen{$event->{event} // ''}++ if $event;
    push @faults, $event
        ? map { "$event->{event}: $_" } $schema->check(
            { '$ref' => '#/components/schemas/Event' }, $event)
        : "no JSON: $data";
}

is(join("\n", @faults), '', 'events are as described');
is(join(' ', sort keys %seen),
    'close connect health play publish record recorded stop unpublish',
    'events of all kinds');

is(join(' ', $schema->check({ '$ref' => '#/components/schemas/Event' },
    decode_json('{"event":"lost","count":null}'))), '', 'lost');

# nothing is described that was not seen; 503 is not to be had at will

my @unseen;

for my $path (sort keys %{$doc->{paths}}) {
    for my $method (sort keys %{$doc->{paths}{$path}}) {
        push @unseen, map { uc($method) . " $path $_" }
            grep { $_ ne '503' && !$used{uc($method) . " $path $_"} }
            sort keys %{$doc->{paths}{$path}{$method}{responses}};
    }
}

is(join("\n", @unseen), '', 'every response was seen');

# the version

is($doc->{info}{version}, get("$v1/versions")->{data}{version}, 'version');
is_deeply(get("$v1/openapi.json"), $doc, 'served as it is in the tree');

# and a new field would be noticed

my $answer = get("$v1/versions");
$answer->{data}{new} = 1;
is(join("\n", $schema->check({ '$ref' => '#/components/schemas/Versions' },
    $answer)), '$.data: new is not described', 'a new field is a fault');

###############################################################################

done_testing();

###############################################################################

sub recorded {
    my ($n) = @_;

    my $p = Test::RTMP->new(port(1935))->connect('rec');

    $p->publish("show$n");
    $p->video(0, Test::RTMP::avc_config());
    $p->video(40 * $_, $_ % 25 ? Test::RTMP::avc_inter(2)
        : Test::RTMP::avc_key(1)) for 0 .. 60;

    return $p;
}

sub get {
    return decode_json(http_content(http_get($_[0], port => 8081)));
}

sub slurp {
    my ($file) = @_;
    open my $fh, '<:raw', $file or die "$file: $!\n";
    local $/;
    return scalar <$fh>;
}

# every object of the document, with where it is

sub walk {
    my ($node, $code, $at) = @_;

    if (ref $node eq 'HASH') {
        $code->($node, $at) unless $at =~ m!/(properties|paths|schemas)$!;
        walk($node->{$_}, $code, "$at/$_") for sort keys %$node;

    } elsif (ref $node eq 'ARRAY') {
        walk($node->[$_], $code, "$at/$_") for 0 .. $#$node;
    }
}

# One request, and its answer against what the document says of it.  as: the
# operation that tells of it, where the method has none of its own.

sub answer {
    my ($method, $path, $uri, $header, $as) = @_;

    my $name = "$method $uri" . ($header ? " ($header)" : '');
    my $op = $doc->{paths}{$path}{$as || lc $method};
    my $r = http("$method $uri HTTP/1.0\r\nHost: localhost\r\n"
        . ($header ? "$header\r\n" : '') . "\r\n", port => 8081);
    my $status = http_status($r) // 0;
    my $response = $schema->follow($op->{responses}{$status});

    return fail("$name: status $status is not described")
        unless $response;

    $used{($as ? uc $as : $method) . " $path $status"} = 1;

    my ($type) = $r =~ /^Content-Type: (.*?)\r$/m;
    my $content = $response->{content}{$type // ''};

    ($content) = map { $response->{content}{$_} }
        grep { index($type // '', $_) == 0 } keys %{$response->{content}}
        unless $content;

    return fail("$name: type " . ($type // 'none') . ' is not described')
        unless $content;

    my @faults = map { "no header $_" }
        grep { $r !~ /^\Q$_\E: /mi } keys %{$response->{headers} || {}};

    if ($type eq 'application/json') {
        my $value = eval { decode_json(http_content($r)) };

        push @faults, defined $value
            ? $schema->check($content->{schema}, $value) : "no JSON: $@";

    } else {
        push @faults, $schema->check($content->{schema}, http_content($r));
    }

    is(join("\n", @faults), '', "$name: $status");
}

# A validator of npm, installed where the build is; what it finds.

sub validator {
    my ($file) = @_;

    my $objs = $ENV{TEST_NGINX_OBJS} || "$Test::Nginx::ROOT/objs";
    my $dir = "$objs/openapi";
    my $program = "$dir/node_modules/\@seriousme/openapi-schema-validator"
        . '/bin/validate-api-cli.js';

    unless (-f $program) {
        make_path($dir);
        copy("openapi/$_", "$dir/$_") or return "$_: $!"
            for qw/ package.json package-lock.json .npmrc /;
        system("cd '$dir' && timeout 120 npm ci --ignore-scripts"
            . ' >npm.log 2>&1 </dev/null');
    }

    return 'not installed: ' . slurp("$dir/npm.log") unless -f $program;

    my $out = `timeout 60 node '$program' '$file' 2>&1`;

    return $out =~ /"valid":\s*true/ ? '' : $out;
}

###############################################################################
