# Sidekiq's worker in the measurement of pickup: the job notes when it began.
#
#     REDIS_URL=… BENCH_OUTPUT=… sidekiq -r ./latency_sidekiq.rb -q bench
#
# A line of log for each job, which is its default, would be most of its work: off.
require "sidekiq"

Redis.sadd_returns_boolean = false # as the next release of its client; it warns otherwise

PICKUPS = []

Sidekiq.configure_server do |config|
  config.logger.level = Logger::WARN
  config.on(:shutdown) do
    File.write(ENV.fetch("BENCH_OUTPUT"), PICKUPS.map { |pair| pair.join(" ") + "\n" }.join)
  end
end

class Pickup
  include Sidekiq::Worker
  sidekiq_options queue: "bench"

  def perform(sent)
    PICKUPS << [sent, Process.clock_gettime(Process::CLOCK_MONOTONIC, :nanosecond)]
  end
end
