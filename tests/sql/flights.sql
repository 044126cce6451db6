-- What the reducers `flights` and `flights-v2` come to, computed a second time: from the lines of
-- the log, in another language. They differ in the minutes from which on a flight is late.
--
--   given   lines(partition, "offset", line)
--   makes   refused, counts; delay and history, each with a column `version`; of these history is
--           each row of the view after each event that made it what it is; reached: the events that
--           a reducer saw; unapplied: those that it did not apply; parted: those of each key in which its
--           versions differ
--
-- Params are those of examples/flights/retally.toml. Nothing in this log is refused or comes twice.

create macro good_from() as 0.8000;
create macro fair_from() as 0.6000;

create table flights as
with read as (
    select partition, "offset", line::json as line from lines
)
select partition, "offset", line ->> 'aircraft' as key, line ->> 'id' as id,
    (line ->> 'scheduled')::timestamptz as time, line ->> 'origin' as origin, line ->> 'dest' as dest,
    (line ->> 'dep_delay')::bigint as dep_delay
from read;

create table refused as
select null::text as partition, null::bigint as "offset", null::text as what, null::text as code
where false;

create table counts as
select count(*) as events, 0 as ignored, count(*) - count(distinct (key, id)) as duplicates
from flights;

create table delay as
select version, partition, "offset", 0 as seq, time, key, id as event_id, origin, dest,
    dep_delay as minutes
from flights, (values ('a', 1), ('b', 15)) as versions(version, delayed_from)
where dep_delay >= delayed_from;

-- Of two whole numbers above 0, rounded to the nearest, halves to the even one.
create macro quotient(n, d) as n // d + case
    when 2 * (n % d) > d or (2 * (n % d) = d and (n // d) % 2 = 1) then 1 else 0
end;

create table history as
with counted as (
    select version, partition, "offset", key, origin, count(*) over book as flights,
        count(*) filter (dep_delay is null) over book as cancelled,
        count(*) filter (dep_delay >= delayed_from) over book as delayed,
        coalesce(sum(dep_delay) filter (dep_delay >= delayed_from) over book, 0)::bigint as delay_minutes,
        coalesce(max(dep_delay) filter (dep_delay >= delayed_from) over book, 0) as longest
    from flights, (values ('a', 1), ('b', 15)) as versions(version, delayed_from)
    window book as (partition by version, key, origin order by partition, "offset")
),
shares as (
    select *, quotient((flights - cancelled - delayed) * 10000, flights) * 0.0001 as on_time
    from counted
)
select *, case
        when on_time >= good_from() then 'good'
        when on_time >= fair_from() then 'fair'
        else 'poor'
    end as rating
from shares;

create table reached as
select partition, "offset", key, case when dep_delay is null then 'cancelled' else 'departed' end as input
from flights;

create table unapplied as
select null::text as partition, null::bigint as "offset", null::text as key, null::text as what,
    null::text as code
where false;

create table parted as
select partition, "offset", key, id, time, 'departed' as input
from flights
where dep_delay >= 1 and dep_delay < 15;
