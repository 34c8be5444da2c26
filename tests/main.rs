//! All integration tests, as one binary: it is linked once, and its modules share `site`.

#[cfg(test)]
mod again;
#[cfg(test)]
mod archive;
#[cfg(test)]
mod bells;
#[cfg(test)]
mod cli;
#[cfg(test)]
mod damage;
#[cfg(test)]
mod demo;
#[cfg(test)]
mod disks;
#[cfg(test)]
mod fakes;
#[cfg(test)]
mod gate;
#[cfg(test)]
mod hands;
#[cfg(test)]
mod hanging;
#[cfg(test)]
mod heal;
#[cfg(test)]
mod homeless;
#[cfg(test)]
mod invite;
#[cfg(test)]
mod lanes;
#[cfg(test)]
mod lies;
#[cfg(test)]
mod mail;
#[cfg(test)]
mod maildir;
#[cfg(test)]
mod mistakes;
#[cfg(test)]
mod offers;
#[cfg(test)]
mod ordinary;
#[cfg(test)]
mod rebuild;
#[cfg(test)]
mod reports;
#[cfg(test)]
mod rescue;
#[cfg(test)]
mod resume;
#[cfg(test)]
mod serve;
#[cfg(test)]
mod site;
#[cfg(test)]
mod steer;
#[cfg(test)]
mod survey;
#[cfg(test)]
mod target;
#[cfg(test)]
mod tidy;
#[cfg(test)]
mod wait;
#[cfg(test)]
mod ways;
#[cfg(test)]
mod words;
