# Enqueues with Sidekiq's own client, one by one, to the server of $REDIS_URL.
#
#     ruby enqueue_sidekiq.rb COUNT
#
# Prints {"messages": …, "seconds": …, "cpu_seconds": …}.
require "json"
require "sidekiq"

Redis.sadd_returns_boolean = false # as the next release of its client; it warns otherwise

Sidekiq.configure_client { |config| config.redis = { url: ENV.fetch("REDIS_URL"), size: 1 } }

class Charge
  include Sidekiq::Worker
  sidekiq_options queue: "bench"

  def perform(invoice, currency); end
end

count = Integer(ARGV.fetch(0))
Charge.perform_async(0, "EUR") # the connection comes about with the first call

clock = ->(which) { Process.clock_gettime(which) }
started = clock.call(Process::CLOCK_MONOTONIC)
busy = clock.call(Process::CLOCK_PROCESS_CPUTIME_ID)
count.times { |number| Charge.perform_async(1_000_000 + number, "EUR") }
puts JSON.generate(
  messages: count,
  seconds: clock.call(Process::CLOCK_MONOTONIC) - started,
  cpu_seconds: clock.call(Process::CLOCK_PROCESS_CPUTIME_ID) - busy,
  version: Sidekiq::VERSION
)
