#!/usr/bin/perl

# Copyright (C) the nginx media suite authors

# The dashboard for Grafana: it is well formed, its panels lie side by side,
# and what it asks for is what a server in use shows: every name and label
# there is, counters as rates, and nothing that is measured is left out.

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use Test::Nginx;
use Test::RTMP;

use JSON::PP;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http stream rtmp flv_live hls/);

$t->write_file_expand('nginx.conf', <<'EOF_CONF');

%%TEST_GLOBALS%%

daemon off;

worker_processes %%WORKERS%%;

events {
}

media {
    zone 64m;
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

        location = /metrics {
            media_metrics;
        }
    }
}

EOF_CONF

# what no panel shows, and why

my %hidden = ();

# labels that Prometheus adds

my %added = map { $_ => 1 } qw/ instance job /;

###############################################################################

my $dash = JSON::PP->new()->utf8()->decode(slurp('../docs/grafana-dashboard.json'));

is(ref $dash->{panels}, 'ARRAY', 'panels');
cmp_ok($dash->{schemaVersion}, '>=', 39, 'version of the schema');
like($dash->{uid}, qr/^[\w-]{1,40}$/, 'uid');
ok(!exists $dash->{id}, 'no id of somebody\'s database');

my @panels = map { ($_, @{$_->{panels} || []}) } @{$dash->{panels}};
my @shown = grep { $_->{type} ne 'row' } @panels;
my (%id, %title, @faults);

for my $p (@panels) {
    my $name = $p->{title} || 'a panel';

    push @faults, "$name: id" if ($p->{id} // 0) < 1 || $id{$p->{id}}++;
    push @faults, "$name: no title" unless length($p->{title} // '');

    my $g = $p->{gridPos};

    push @faults, "$name: outside" if grep { !defined $_ || $_ < 0 }
        @{$g}{qw/ x y w h /};
    push @faults, "$name: wider than the page" if $g->{x} + $g->{w} > 24;

    for my $other (@panels) {
        my $o = $other->{gridPos};
        push @faults, "$name lies on $other->{title}"
            if $p->{id} < $other->{id}
                && $g->{x} < $o->{x} + $o->{w} && $o->{x} < $g->{x} + $g->{w}
                && $g->{y} < $o->{y} + $o->{h} && $o->{y} < $g->{y} + $g->{h};
    }

    next if $p->{type} eq 'row';

    push @faults, "$name: type $p->{type}"
        unless $p->{type} =~ /^(stat|timeseries|table)$/;
    push @faults, "$name: no words" unless length($p->{description} // '');
    push @faults, "$name: no queries" unless @{$p->{targets} || []};
    push @faults, "$name: no unit"
        unless $p->{type} eq 'table'
            || length($p->{fieldConfig}{defaults}{unit} // '');

    my %ref;

    push @faults, map { "$name: queries of one name" }
        grep { $ref{$_->{refId}}++ } @{$p->{targets}};
    push @faults, map { "$name: another data source" }
        grep { $_->{datasource}{uid} ne '${datasource}' }
        $p, @{$p->{targets}};
}

is(join("\n", @faults), '', scalar(@panels) . ' panels are well formed');

my @rows = map { $_->{title} } grep { $_->{type} eq 'row' } @panels;
my $docs = slurp('../docs/grafana.md');

is(join(', ', grep { $docs !~ /^\| \Q$_\E \|/m } @rows), '',
    'rows are documented');

# variables

my @list = @{$dash->{templating}{list}};
my %variable = map { $_->{name} => $_ } @list;

is(join(' ', map { $_->{name} } @list), 'datasource instance vhost app stream',
    'variables');
is("$variable{datasource}{type} $variable{datasource}{query}",
    'datasource prometheus', 'the data source is chosen');

my @queries = map { [ "variable $_->{name}", $_->{query}{query}, [] ] }
    grep { $_->{type} eq 'query' } @list;

push @queries, map {
    my $p = $_;
    map { [ $p->{title}, $_->{expr}, [ ($_->{legendFormat} // '')
        =~ /\{\{(\w+)\}\}/g ] ] } @{$p->{targets}};
} @shown;

for my $query (@queries) {
    my ($name, $expr) = @$query;

    push @faults, map { "$name: unknown variable $_" }
        grep { !$variable{$_} && $_ ne '__rate_interval' }
        $expr =~ /\$\{?(\w+)/g;
}

is(join("\n", @faults), '', 'variables exist');

###############################################################################

# a server in use

$t->run();

my $pub = Test::RTMP->new(port(1935))->connect('live');
$pub->publish('one');
$pub->video(0, Test::RTMP::avc_config());
$pub->video(40 * $_, $_ % 25 ? Test::RTMP::avc_inter(2)
    : Test::RTMP::avc_key(1)) for 0 .. 60;

my $player = http_start("GET /live/one.flv HTTP/1.0\r\n\r\n");

my (%type, %labels);

ok(wait_until(sub {
    (%type, %labels) = ();

    for my $line (split /\n/, http_content(http_get('/metrics'))) {
        $type{$1} = $2 if $line =~ /^# TYPE (\S+) (\S+)$/;

        my ($name, $of) = $line =~ /^([a-z]\w*)(\{.*\})? \S+$/ or next;

        $labels{$name} = { map { $_ => 1 } ($of // '') =~ /(\w+)="/g };
    }

    return $labels{nginx_media_stream_fps} && $labels{nginx_media_hls_viewers};
}, 10), 'metrics');

my %used;

for my $query (@queries) {
    my ($name, $expr, $legend) = @$query;
    my @metrics = $expr =~ /\b((?:srs|nginx)_\w+)/g;

    push @faults, "$name: asks for nothing: $expr" unless @metrics;
    push @faults, "$name: brackets: $expr" unless balanced($expr);

    for my $metric (@metrics) {
        $used{$metric}++ unless $name =~ /^variable /;

        if (!$labels{$metric}) {
            push @faults, "$name: the server has no $metric";
            next;
        }

        # matchers, and what is grouped by and shown

        my ($matchers) = $expr =~ /\b$metric\{([^}]*)\}/;
        my @names = (($matchers // '') =~ /(\w+)=~?"/g, @$legend);

        push @names, split /\s*,\s*/, $1 if $expr =~ /\bby \(([^)]*)\)/;
        push @names, $1 if $expr =~ /^label_values\(.*,\s*(\w+)\)$/;

        push @faults, map { "$name: $metric has no label $_" }
            grep { !$labels{$metric}{$_} && !$added{$_} } @names;

        push @faults, "$name: $metric has no matcher of the server"
            unless ($matchers // '') =~ /\binstance=~"\$instance"/
                || $expr eq 'label_values(srs_build_info, instance)';

        # counters are rates

        my $rate = $expr =~ /(?:rate|increase)\($metric\{[^}]*\}\[/ ? 1 : 0;

        push @faults, "$name: $metric is a $type{$metric}"
            if $name !~ /^variable / && $rate != ($type{$metric} eq 'counter');
    }
}

is(join("\n", @faults), '', 'what the panels ask for is there');
is(join("\n", grep { !$used{$_} && !$hidden{$_} } sort keys %type), '',
    'all that is measured is shown');
is(join("\n", grep { !$type{$_} } sort keys %hidden), '',
    'what is left out exists');

# and the alarms of the documentation

my @alarms = $docs =~ /^ +expr: (.*)$/mg;

cmp_ok(scalar @alarms, '>', 3, 'alarms');
is(join("\n", grep { !$labels{$_} } map { /\b((?:srs|nginx)_\w+)/g } @alarms),
    '', 'of what there is');

$pub->close();

###############################################################################

done_testing();

###############################################################################

sub slurp {
    my ($file) = @_;
    open my $fh, '<:raw', $file or die "$file: $!\n";
    local $/;
    return scalar <$fh>;
}

sub balanced {
    my ($expr) = @_;

    $expr =~ s/"[^"]*"//g;
    1 while $expr =~ s/\([^(){}\[\]]*\)|\{[^(){}\[\]]*\}|\[[^(){}\[\]]*\]//g;

    return $expr !~ /[(){}\[\]]/;
}

###############################################################################
