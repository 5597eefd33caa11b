#include "proxy/server/password_checker.h"

#include <crypt.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <pthread.h>

#include <csignal>
#include <cstring>
#include <stdexcept>

namespace vipair::proxy {

namespace {
// For users who do not exist: the work of a bcrypt of the usual cost.
constexpr const char* kNobodysHash = "$2b$10$abcdefghijklmnopqrstuuK1N3VbVvSbKzC8rF6Uu1xZ8yqgVvH2a";

bool is_right(const std::string& password, const std::string& hash) {
  crypt_data data{};
  const std::string& against = hash.empty() ? kNobodysHash : hash;
  const char* const computed = crypt_r(password.c_str(), against.c_str(), &data);
  const bool is_same = computed != nullptr && std::strlen(computed) == against.size() &&
                       CRYPTO_memcmp(computed, against.data(), against.size()) == 0;
  OPENSSL_cleanse(&data, sizeof data);
  return is_same && !hash.empty();
}
}  // namespace

PasswordChecker::PasswordChecker() : remembered_(new Place[kRemembered]) {
  if (RAND_bytes(key_.data(), static_cast<int>(key_.size())) != 1) throw std::runtime_error("RAND_bytes");
}

void PasswordChecker::stop() {
  {
    std::lock_guard lock(mutex_);
    is_stopping_ = true;
  }
  is_wanted_.notify_all();
  if (thread_.joinable()) thread_.join();
  for (Job& job : jobs_) OPENSSL_cleanse(job.password.data(), job.password.size());
  jobs_.clear();
}

PasswordChecker::Digest PasswordChecker::digest_of(std::string_view user, std::string_view password,
                                                   std::string_view hash) const {
  // A name has no NUL, nor has a hash: nothing can be moved from one part to another.
  std::array<unsigned char, 1024> text;
  std::size_t size = 0;
  for (std::string_view part : {user, hash, password}) {
    if (part.size() + 1 > text.size() - size) return {};
    std::memcpy(text.data() + size, part.data(), part.size());
    size += part.size();
    text[size++] = 0;
  }
  std::array<unsigned char, EVP_MAX_MD_SIZE> result{};
  const bool is_done = HMAC(EVP_sha256(), key_.data(), static_cast<int>(key_.size()), text.data(), size,
                            result.data(), nullptr) != nullptr;
  OPENSSL_cleanse(text.data(), size);
  Digest digest{};
  if (is_done) std::memcpy(digest.data(), result.data(), sizeof digest);
  return digest;
}

bool PasswordChecker::remembers(std::string_view user, std::string_view password, std::string_view hash) const {
  const Digest digest = digest_of(user, password, hash);
  if (digest == Digest{}) return false;
  const Place& place = remembered_[digest[0] % kRemembered];
  return place.first.load(std::memory_order_relaxed) == digest[0] &&
         place.second.load(std::memory_order_relaxed) == digest[1];
}

bool PasswordChecker::check(std::string_view user, std::string_view password, std::string_view hash,
                            OnChecked on_checked) {
  {
    std::lock_guard lock(mutex_);
    if (is_stopping_ || jobs_.size() >= kQueueMax) return false;
    jobs_.push_back({std::string(user), std::string(password), std::string(hash), std::move(on_checked)});
    if (!thread_.joinable()) {
      // Signals are the main thread's.
      sigset_t all, previous;
      sigfillset(&all);
      pthread_sigmask(SIG_SETMASK, &all, &previous);
      thread_ = std::thread([this] { run(); });
      pthread_sigmask(SIG_SETMASK, &previous, nullptr);
      pthread_setname_np(thread_.native_handle(), "passwords");
    }
  }
  is_wanted_.notify_one();
  return true;
}

void PasswordChecker::run() {
  for (;;) {
    Job job;
    {
      std::unique_lock lock(mutex_);
      is_wanted_.wait(lock, [this] { return is_stopping_ || !jobs_.empty(); });
      if (is_stopping_) return;
      job = std::move(jobs_.front());
      jobs_.pop_front();
    }
    const bool right = remembers(job.user, job.password, job.hash) || is_right(job.password, job.hash);
    if (right) {
      const Digest digest = digest_of(job.user, job.password, job.hash);
      Place& place = remembered_[digest[0] % kRemembered];
      place.first.store(digest[0], std::memory_order_relaxed);
      place.second.store(digest[1], std::memory_order_relaxed);
    }
    OPENSSL_cleanse(job.password.data(), job.password.size());
    job.on_checked(right);
  }
}

}  // namespace vipair::proxy
