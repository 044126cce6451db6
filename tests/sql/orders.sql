-- What the reducers `orders` and `orders-v2` come to, computed a second time: from the lines of the
-- log, in another language. Both versions judge events alike and differ in tiers.
--
--   given   lines(partition, "offset", line); `line` is null where it is not UTF-8
--   makes   refused, counts; balance, tier_changed and history, each with a column `version`; of
--           these history is each row of the view after each event that made it what it is;
--           reached: the events that a reducer saw; unapplied: those of a known key that it did not
--           apply; parted: those of each key in which its versions differ, the first one at least
--
-- Params are those of examples/orders/retally.toml.

create macro silver_from() as 250.00;
create macro gold_from() as 1000.00;
create macro gold_orders() as 3;

-- What is malformed: input, key, id, time and fields are judged in this order.

create macro is_text(value) as value[1] = '"';
create macro said(value) as (value::json ->> '$');

create table judged as
with valid as (
    select partition, "offset",
        json_extract(line, ['/type', '/account_id', '/event_id', '/ts', '/amount', '/currency'])::text[] as found,
        len(list_filter(json_keys(line), lambda name: name = 'amount')) > 1 as twice
    from lines
    where json_valid(line)
),
named as (
    select partition, "offset", twice,
        nullif(found[1], 'null') as type, nullif(found[2], 'null') as key, nullif(found[3], 'null') as id,
        nullif(found[4], 'null') as ts, nullif(found[5], 'null') as amount,
        nullif(found[6], 'null') as currency
    from valid
),
read as (
    select *, said(type) as input, said(amount) as digits,
        case when regexp_full_match(said(ts), '\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z')
            then try_cast(said(ts) as timestamptz) end as time
    from named
)
select partition, "offset", input,
    case
        when input is null or input not in ('payment', 'refund', 'chargeback') then 'ignored'
        when key is null then 'key-missing'
        when not is_text(key) then 'key-kind'
        when id is null then 'id-missing'
        when not is_text(id) then 'id-kind'
        when ts is null then 'time-missing'
        when time is null then 'time-kind'
        when twice then 'name-twice'
        when amount is null then 'field-missing'
        when not regexp_full_match(digits, '-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?')
            then 'field-kind'
        when digits::decimal(38, 12) <> digits::decimal(38, 2) then 'field-scale'
        when currency is null then 'field-missing'
        when not is_text(currency) then 'field-kind'
    end as code,
    said(key) as key, said(id) as id, time, said(currency) as currency,
    try_cast(digits as decimal(18, 2)) as amount
from read;

-- De-duplication: of the events with one key and id the first counts, whatever comes of it.

create table seen as
select *,
    row_number() over same as turn,
    (input, amount, currency, time) = first((input, amount, currency, time)) over same as alike
from judged
where code is null
window same as (partition by key, id order by partition, "offset");

-- Rejecting: a refund of more than is left, which hangs on what was rejected before. So the events
-- of a key and currency are folded in the order of the log, into what is left and the rejected.

create macro exact(amount) as amount::decimal(38, 2);

create table rejected as
with books as (
    select list({
        'moves': exact(case when input = 'payment' then amount else -amount end),
        'asks': input = 'refund',
        'position': {'partition': partition, 'offset': "offset"}
    } order by partition, "offset") as events
    from seen
    where turn = 1
    group by key, currency
),
folded as (
    select list_reduce(
        events,
        lambda book, event: case when event.asks and book.left + event.moves < 0
            then {'left': book.left, 'rejected': list_append(book.rejected, event.position)}
            else {'left': exact(book.left + event.moves), 'rejected': book.rejected}
        end,
        {'left': exact(0), 'rejected': []::struct(partition text, "offset" bigint)[]}
    ) as book
    from books
)
select unnest(book.rejected, recursive := true) from folded;

create table refused as
select partition, "offset", 'malformed' as what, code
from judged
where code <> 'ignored'
union all
select partition, "offset", 'malformed', case when line is null then 'not-utf8' else 'not-json' end
from lines
where line is null or not json_valid(line)
union all
select partition, "offset", 'conflict', null from seen where turn > 1 and not alike
union all
select partition, "offset", 'rejected', 'refund-too-large' from rejected;

create table counts as
select
    (select count(*) from lines) as events,
    (select count(*) from judged where code = 'ignored') as ignored,
    (select count(*) from seen where turn > 1 and alike) as duplicates;

-- The books of every key and currency after each of its applied events, in both versions.

create macro tier(earned, enough) as case
    when earned >= gold_from() and enough then 'gold'
    when earned >= silver_from() then 'silver'
    else 'bronze'
end;

create table books as
with sums as (
    select partition, "offset", key, id, time, input, currency,
        coalesce(sum(amount) filter (input = 'payment') over book, 0) as gross,
        coalesce(sum(amount) filter (input <> 'payment') over book, 0) as refunds,
        count(*) filter (input = 'payment') over book as orders,
        coalesce(max(amount) filter (input = 'payment') over book, 0) as largest
    from seen anti join rejected using (partition, "offset")
    where turn = 1
    window book as (partition by key, currency order by partition, "offset")
)
select version, *, gross - refunds as net,
    case version
        when 'a' then tier(gross, true)
        when 'b' then tier(gross - refunds, orders >= gold_orders())
    end as tier
from sums, (values ('a'), ('b')) as versions(version);

-- Results and emits.

create table history as
select version, partition, "offset", key, currency, gross, refunds, net, orders, largest, time as last,
    tier
from books;

create table balance as
select version, partition, "offset", 0 as seq, time, key, id as event_id, currency, net, tier
from books;

create table tier_changed as
select version, partition, "offset", 0 as seq, time, key, id as event_id, currency,
    lag(tier, 1, 'bronze') over (
        partition by version, key, currency order by partition, "offset"
    ) as "from",
    tier as "to"
from books
qualify "from" <> "to";

create table reached as
select partition, "offset", key, input from seen where turn = 1;

create table unapplied as
select partition, "offset", key, 'malformed' as what, code
from judged
where code not in ('ignored', 'key-missing', 'key-kind')
union all
select partition, "offset", key, case when alike then 'duplicate' else 'conflict' end, null
from seen
where turn > 1
union all
select partition, "offset", key, 'rejected', 'refund-too-large'
from rejected join seen using (partition, "offset");

-- A key parts where a tier does: every balance tells it.

create table parted as
select partition, "offset", key, any_value(id) as id, any_value(time) as time,
    any_value(input) as input
from books
group by partition, "offset", key
having count(distinct tier) > 1;
