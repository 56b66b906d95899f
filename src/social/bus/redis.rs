//! The bus of many nodes on Redis 7: one server, or a cluster.
//!
//! Everything of one broadcast carries its id as hash tag and so lives in one slot: in a cluster, topics are sharded pub/sub. Whatever must
//! happen in one step is a script. Two connections: one for commands, one for subscriptions, so that neither waits for the other; both
//! reconnect by themselves. After a disconnection every subscriber is told that it may have missed something.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use redis::aio::{ConnectionLike, ConnectionManager, ConnectionManagerConfig};
use redis::cluster::ClusterClient;
use redis::cluster_async::ClusterConnection;
use redis::{Client, Cmd, IntoConnectionInfo, Pipeline, ProtocolVersion, PushInfo, PushKind, RedisError, RedisFuture, Value};
use tokio::sync::broadcast as fanout;
use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_util::task::AbortOnDropHandle;

use super::{Bus, BusError, Delivery, Entry, Lease, LogId, Subscription, Topic};
use crate::ids::{BroadcastId, NodeId};
use crate::limits::{BUS_ANSWER_MAX, BUS_KEPT, BUS_MENDING, BUS_TOPIC_QUEUE, BUS_UPKEEP_INTERVAL, LEASE_TTL, NODE_EXPIRY};
use crate::social::clock::wall_clock;

/// Adds what is above the last entry; 0 when the last entry is of a later epoch. ARGV: epoch, keep, kept ms, then seq and payload in turn.
const APPEND: &str = r"
local last_epoch, last_seq = 0, 0
local newest = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)
if newest[1] then
  local epoch, seq = string.match(newest[1][1], '^(%d+)-(%d+)$')
  last_epoch, last_seq = tonumber(epoch), tonumber(seq)
end
local epoch = tonumber(ARGV[1])
if last_epoch > epoch then return 0 end
for i = 4, #ARGV, 2 do
  if last_epoch < epoch or tonumber(ARGV[i]) > last_seq then
    redis.call('XADD', KEYS[1], 'MAXLEN', ARGV[2], ARGV[1] .. '-' .. ARGV[i], 'e', ARGV[i + 1])
  end
end
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return 1";

/// ARGV: epoch, snapshot, kept ms.
const SAVE: &str = r"
local saved = redis.call('HGET', KEYS[1], 'epoch')
if saved and tonumber(saved) > tonumber(ARGV[1]) then return 0 end
redis.call('HSET', KEYS[1], 'epoch', ARGV[1], 'snapshot', ARGV[2])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return 1";

/// KEYS: lease, epoch. ARGV: node, lease ms, kept ms. Answers `{1, epoch}` or `{0, holder}`.
const ACQUIRE: &str = r"
local holder = redis.call('GET', KEYS[1])
if holder == ARGV[1] then
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
  return {1, redis.call('GET', KEYS[2])}
end
if holder then return {0, holder} end
local epoch = tonumber(redis.call('GET', KEYS[2]) or '0') + 1
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
if now > epoch then epoch = now end
local text = string.format('%.0f', epoch)
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
redis.call('SET', KEYS[2], text, 'PX', ARGV[3])
return {1, text}";

const RELEASE: &str = "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0";

/// ARGV: node, expiry ms.
const BEAT: &str = r"
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
redis.call('ZADD', KEYS[1], now + tonumber(ARGV[2]), ARGV[1])
return 1";

const NODES: &str = r"
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
return redis.call('ZRANGEBYSCORE', KEYS[1], string.format('(%.0f', now), '+inf')";

const NODES_KEY: &str = "courtside:nodes";

#[derive(Clone, Copy)]
enum Key {
    Log,
    Snapshot,
    Lease,
    Epoch,
}

fn key(broadcast: BroadcastId, key: Key) -> String {
    let word = match key {
        Key::Log => "log",
        Key::Snapshot => "snapshot",
        Key::Lease => "lease",
        Key::Epoch => "epoch",
    };
    format!("courtside:{{{broadcast}}}:{word}")
}

/// One server or a cluster; cheap to clone, as both of its kinds are.
#[derive(Clone)]
enum Connection {
    Server(ConnectionManager),
    Cluster(ClusterConnection),
}

impl ConnectionLike for Connection {
    fn req_packed_command<'a>(&'a mut self, cmd: &'a Cmd) -> RedisFuture<'a, Value> {
        match self {
            Self::Server(connection) => connection.req_packed_command(cmd),
            Self::Cluster(connection) => connection.req_packed_command(cmd),
        }
    }

    fn req_packed_commands<'a>(&'a mut self, pipeline: &'a Pipeline, offset: usize, count: usize) -> RedisFuture<'a, Vec<Value>> {
        match self {
            Self::Server(connection) => connection.req_packed_commands(pipeline, offset, count),
            Self::Cluster(connection) => connection.req_packed_commands(pipeline, offset, count),
        }
    }

    fn get_db(&self) -> i64 {
        match self {
            Self::Server(connection) => connection.get_db(),
            Self::Cluster(connection) => connection.get_db(),
        }
    }
}

impl Connection {
    async fn open(urls: &[String], topics: Option<Arc<Topics>>) -> Result<Self, RedisError> {
        let push = topics.map(|topics| {
            move |info: PushInfo| -> Result<(), std::convert::Infallible> {
                topics.handle_push(info);
                Ok(())
            }
        });
        if let [url] = urls {
            let info = url.as_str().into_connection_info()?;
            let redis = info.redis_settings().clone().set_protocol(ProtocolVersion::RESP3);
            let mut config = ConnectionManagerConfig::new()
                .set_connection_timeout(Some(BUS_ANSWER_MAX))
                .set_response_timeout(Some(BUS_ANSWER_MAX))
                .set_min_delay(Duration::from_millis(50))
                .set_max_delay(BUS_UPKEEP_INTERVAL);
            if let Some(push) = push {
                config = config.set_push_sender(push).set_automatic_resubscription();
            }
            let client = Client::open(info.set_redis_settings(redis))?;
            return Ok(Self::Server(ConnectionManager::new_with_config(client, config).await?));
        }
        let mut builder = ClusterClient::builder(urls.iter().map(String::as_str))
            .use_protocol(ProtocolVersion::RESP3)
            .connection_timeout(BUS_ANSWER_MAX)
            .response_timeout(BUS_ANSWER_MAX);
        if let Some(push) = push {
            builder = builder.push_sender(push);
        }
        Ok(Self::Cluster(builder.build()?.get_async_connection().await?))
    }

    async fn subscribe(&mut self, topics: &[String]) -> Result<(), RedisError> {
        match self {
            Self::Server(connection) => connection.subscribe(topics).await,
            // One slot a topic, so one call a topic.
            Self::Cluster(connection) => {
                for topic in topics {
                    connection.ssubscribe(topic).await?;
                }
                Ok(())
            }
        }
    }

    async fn unsubscribe(&mut self, topic: &str) -> Result<(), RedisError> {
        match self {
            Self::Server(connection) => connection.unsubscribe(topic).await,
            Self::Cluster(connection) => connection.sunsubscribe(topic).await,
        }
    }
}

/// Who follows what on this node.
#[derive(Debug, Default)]
struct Topics {
    senders: Mutex<HashMap<String, fanout::Sender<Delivery>>>,
    /// Wall clock, ms; until then subscriptions are made again and again. 0: all is well.
    mending_until: AtomicU64,
}

impl Topics {
    fn with<T>(&self, look: impl FnOnce(&mut HashMap<String, fanout::Sender<Delivery>>) -> T) -> T {
        look(&mut self.senders.lock().expect("no panic happens while the lock is held: its sections only move values"))
    }

    /// Runs on the connection's task: hands on and never waits.
    fn handle_push(&self, PushInfo { kind, data }: PushInfo) {
        match (kind, data.as_slice()) {
            (PushKind::Message | PushKind::SMessage, [Value::BulkString(topic), Value::BulkString(payload)]) => {
                let payload = Bytes::copy_from_slice(payload);
                self.with(|senders| {
                    let sender = std::str::from_utf8(topic).ok().and_then(|topic| senders.get(topic));
                    if let Some(sender) = sender {
                        // Nobody may be listening just now.
                        drop(sender.send(Delivery::Payload(payload)));
                    }
                });
            }
            (PushKind::Disconnection, _) => {
                self.mend();
                self.tell_missed();
            }
            // A cluster takes a topic away when its slot moves.
            (PushKind::SUnsubscribe, _) => self.mend(),
            _ => {}
        }
    }

    fn mend(&self) {
        self.mending_until.store(wall_clock().after(BUS_MENDING).0, Ordering::Relaxed);
    }

    fn tell_missed(&self) {
        self.with(|senders| senders.values().for_each(|sender| drop(sender.send(Delivery::Missed(0)))));
    }
}

/// See the file's head. Dropping it ends its task.
pub struct RedisBus {
    commands: Connection,
    subscriptions: Connection,
    topics: Arc<Topics>,
    _upkeep: AbortOnDropHandle<()>,
}

impl fmt::Debug for RedisBus {
    /// URLs may contain passwords.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisBus").field("topics", &self.topics).finish_non_exhaustive()
    }
}

impl RedisBus {
    /// Connects to one server (one URL) or to the cluster that several URLs belong to.
    ///
    /// # Errors
    /// [`BusError::Unavailable`] when nobody answers there, or not in RESP3 (Redis before 7 has no sharded pub/sub).
    pub async fn connect(urls: &[String]) -> Result<Self, BusError> {
        let topics = Arc::new(Topics::default());
        let open = async {
            let commands = Connection::open(urls, None).await?;
            let subscriptions = Connection::open(urls, Some(Arc::clone(&topics))).await?;
            Ok::<_, RedisError>((commands, subscriptions))
        };
        let (commands, subscriptions) = timeout(2 * BUS_ANSWER_MAX, open).await.map_err(|_| late())?.map_err(unavailable)?;
        let upkeep = tokio::spawn(upkeep(subscriptions.clone(), Arc::clone(&topics)));
        Ok(Self { commands, subscriptions, topics, _upkeep: AbortOnDropHandle::new(upkeep) })
    }

    /// Runs a script, in time. Its text goes along each time: by its digest alone a cluster answers `NOSCRIPT` after another node has taken
    /// over, and the library then loads it into whichever node it likes.
    async fn run<T: redis::FromRedisValue>(&self, script: &str, keys: &[String], args: &[&[u8]]) -> Result<T, BusError> {
        let mut command = redis::cmd("EVAL");
        command.arg(script).arg(keys.len());
        for key in keys {
            command.arg(key);
        }
        for arg in args {
            command.arg(*arg);
        }
        self.query(&command).await
    }

    async fn query<T: redis::FromRedisValue>(&self, command: &Cmd) -> Result<T, BusError> {
        let mut connection = self.commands.clone();
        in_time(command.query_async(&mut connection)).await
    }
}

/// Ends subscriptions that nobody has any more, and makes them again after a disconnection.
async fn upkeep(mut connection: Connection, topics: Arc<Topics>) {
    let mut ticks = interval(BUS_UPKEEP_INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let dropped: Vec<String> = topics.with(|senders| {
            let dropped: Vec<String> =
                senders.iter().filter(|(_, sender)| sender.receiver_count() == 0).map(|(name, _)| name.clone()).collect();
            dropped.iter().for_each(|name| drop(senders.remove(name)));
            dropped
        });
        for topic in dropped {
            if let Err(error) = in_time(connection.unsubscribe(&topic)).await {
                // Whoever publishes there reaches a node that does not listen: a waste, no harm.
                tracing::debug!(%topic, %error, "a topic could not be left");
            }
        }
        if topics.mending_until.load(Ordering::Relaxed) <= wall_clock().0 {
            continue;
        }
        let all: Vec<String> = topics.with(|senders| senders.keys().cloned().collect());
        for topic in all {
            if let Err(error) = in_time(connection.subscribe(std::slice::from_ref(&topic))).await {
                // Longer than expected: go on until it works.
                topics.mend();
                tracing::debug!(%topic, %error, "a topic could not be followed again yet");
            }
        }
    }
}

async fn in_time<T>(call: impl Future<Output = Result<T, RedisError>>) -> Result<T, BusError> {
    timeout(BUS_ANSWER_MAX, call).await.map_err(|_| late())?.map_err(unavailable)
}

fn late() -> BusError {
    BusError::Unavailable("no answer in time".to_owned())
}

fn unavailable(error: RedisError) -> BusError {
    BusError::Unavailable(error.to_string())
}

fn millis(duration: Duration) -> String {
    duration.as_millis().to_string()
}

#[async_trait]
impl Bus for RedisBus {
    async fn publish(&self, topic: Topic, payload: Bytes) -> Result<(), BusError> {
        let command = match self.commands {
            Connection::Server(_) => "PUBLISH",
            Connection::Cluster(_) => "SPUBLISH",
        };
        self.query::<u64>(redis::cmd(command).arg(topic.to_string()).arg(payload.as_ref())).await.map(drop)
    }

    async fn subscribe(&self, topic: Topic) -> Result<Subscription, BusError> {
        let name = topic.to_string();
        let (receiver, is_new) = self.topics.with(|senders| {
            let is_new = !senders.contains_key(&name);
            (senders.entry(name.clone()).or_insert_with(|| fanout::Sender::new(BUS_TOPIC_QUEUE)).subscribe(), is_new)
        });
        if is_new {
            let mut connection = self.subscriptions.clone();
            if let Err(error) = in_time(connection.subscribe(&[name])).await {
                // Somebody else may have joined this topic meanwhile: it is mended for them.
                self.topics.mend();
                return Err(error);
            }
        }
        Ok(Subscription::new(receiver))
    }

    async fn append(&self, broadcast: BroadcastId, entries: Vec<Entry>, keep: usize) -> Result<(), BusError> {
        let Some(epoch) = entries.first().map(|entry| entry.id.epoch.to_string()) else { return Ok(()) };
        let (keep, kept) = (keep.to_string(), millis(BUS_KEPT));
        let seqs: Vec<String> = entries.iter().map(|entry| entry.id.seq.to_string()).collect();
        let mut args: Vec<&[u8]> = vec![epoch.as_bytes(), keep.as_bytes(), kept.as_bytes()];
        args.extend(entries.iter().zip(&seqs).flat_map(|(entry, seq)| [seq.as_bytes(), entry.payload.as_ref()]));
        match self.run::<u8>(APPEND, &[key(broadcast, Key::Log)], &args).await? {
            0 => Err(BusError::Superseded),
            _ => Ok(()),
        }
    }

    async fn read(&self, broadcast: BroadcastId, after: LogId, max: usize) -> Result<Vec<Entry>, BusError> {
        let mut command = redis::cmd("XREVRANGE");
        command.arg(key(broadcast, Key::Log)).arg("+").arg(format!("({after}")).arg("COUNT").arg(max);
        let newest_first: Vec<(String, Vec<Vec<u8>>)> = self.query(&command).await?;
        let entries = newest_first
            .into_iter()
            .rev()
            .filter_map(|(id, mut fields)| Some(Entry { id: id.parse().ok()?, payload: Bytes::from(fields.pop()?) }));
        Ok(entries.collect())
    }

    async fn save(&self, broadcast: BroadcastId, epoch: u64, snapshot: Bytes) -> Result<(), BusError> {
        let (epoch, kept) = (epoch.to_string(), millis(BUS_KEPT));
        let args = [epoch.as_bytes(), snapshot.as_ref(), kept.as_bytes()];
        match self.run::<u8>(SAVE, &[key(broadcast, Key::Snapshot)], &args).await? {
            0 => Err(BusError::Superseded),
            _ => Ok(()),
        }
    }

    async fn load(&self, broadcast: BroadcastId) -> Result<Option<Bytes>, BusError> {
        let snapshot: Option<Vec<u8>> = self.query(redis::cmd("HGET").arg(key(broadcast, Key::Snapshot)).arg("snapshot")).await?;
        Ok(snapshot.map(Bytes::from))
    }

    async fn acquire(&self, broadcast: BroadcastId, node: NodeId) -> Result<Lease, BusError> {
        let (name, lease, kept) = (node.to_string(), millis(LEASE_TTL), millis(BUS_KEPT));
        let keys = [key(broadcast, Key::Lease), key(broadcast, Key::Epoch)];
        let (held, what): (u8, String) = self.run(ACQUIRE, &keys, &[name.as_bytes(), lease.as_bytes(), kept.as_bytes()]).await?;
        let strange = |_| BusError::Unavailable("the lease is held by something that is no node of ours".to_owned());
        match held {
            1 => Ok(Lease::Held { epoch: what.parse().map_err(|_| BusError::Unavailable("the epoch is not a number".to_owned()))? }),
            _ => Ok(Lease::Taken { by: what.parse().map_err(strange)? }),
        }
    }

    async fn release(&self, broadcast: BroadcastId, node: NodeId) -> Result<(), BusError> {
        self.run::<u8>(RELEASE, &[key(broadcast, Key::Lease)], &[node.to_string().as_bytes()]).await.map(drop)
    }

    async fn beat(&self, node: NodeId) -> Result<(), BusError> {
        let args = [node.to_string(), millis(NODE_EXPIRY)];
        self.run::<u8>(BEAT, &[NODES_KEY.to_owned()], &[args[0].as_bytes(), args[1].as_bytes()]).await.map(drop)
    }

    async fn nodes(&self) -> Result<Vec<NodeId>, BusError> {
        let names: Vec<String> = self.run(NODES, &[NODES_KEY.to_owned()], &[]).await?;
        let mut nodes: Vec<NodeId> = names.iter().filter_map(|name| name.parse().ok()).collect();
        nodes.sort_unstable();
        Ok(nodes)
    }
}
